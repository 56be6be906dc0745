"""Turn a pre-training state into the bundled checkpoint: averaged weights in 16 bits, facts, model card, golden series.

python scripts/bundle.py --corpus corpus/ --state run/ --name small
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open

from tsprout.checkpoint import BUNDLED, Checkpoint, save
from tsprout.data.catalog.entry import catalogue
from tsprout.data.corpus.episodes import CHANNELS, LENGTHS, EpisodeStream
from tsprout.data.corpus.store import Corpus
from tsprout.model import SMALL, Denoiser

CARD = """# {name}

A diffusion model of time series, pre-trained on many domains, that is shown a handful of series and draws new ones like
them, with or without fine-tuning. Part of tsprout, Apache-2.0.

| | |
|---|---|
| network | {backbone}, {parameters:,} parameters, 16-bit weights, {megabytes:.1f} MB |
| trained on lengths | {lengths} |
| trained on channels | {channels} |
| accepts | lengths 4 to 1024, 1 to 256 channels; outside the trained range quality is not known |
| steps | {steps:,}, about {windows:,} windows |
| loss on held-out sets | {held_out} |

## Training data

{count} public sets beside synthetic processes ({share:.0%} of the episodes). No set of the evaluation is among them.
Licences as far as they are known; "none stated" means that the source names none.

| set | licence |
|---|---|
{sets}

Left out, with the reason:

{excluded}

Held out of training, for validation: {validation}. UCR_MelbournePedestrian and ElecDemandVictoria hold part of the same
recordings as two of these and were trained on, so the loss above is a little too good.

## Limits

- A first checkpoint, trained for three and a half hours on one shared processor core: about 1 % of the windows that
  published models of this kind saw. Without fine-tuning its samples are often rougher than real series;
  `fit(mode="auto")` keeps the better of both.
- A fitted model contains the series it was fitted on. Synthetic data are not anonymous data: look at the copying
  scores.
- Prices, counts and other series whose level wanders without bound are drawn near the levels of the shots.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="what it was trained on")
    parser.add_argument("--state", type=Path, required=True, help="folder with state.safetensors and log.jsonl")
    parser.add_argument("--name", default="small")
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--windows-per-step", type=int, default=280)
    options = parser.parse_args()

    model = Denoiser(replace(SMALL, rows=options.rows))
    with safe_open(options.state / "state.safetensors", framework="pt") as file:
        model.load_state_dict({k[4:]: file.get_tensor(k) for k in file.keys() if k.startswith("ema.")})  # noqa: SIM118
        state = json.loads(file.metadata()["state"])
    corpus = Corpus(options.corpus)
    names = EpisodeStream(corpus).sets
    licences = {entry.name: entry.licence for entry in corpus.sets}
    held_out = [entry.name for entry in corpus.sets if entry.held_out]
    excluded = {entry.name: entry.left_out for entry in catalogue().values() if entry.left_out}
    log = [json.loads(line) for line in (options.state / "log.jsonl").read_text().splitlines()]
    info = {
        "steps": state["step"],
        "windows": state["step"] * options.windows_per_step,
        "lengths": [min(LENGTHS), max(LENGTHS)],
        "channels": [min(CHANNELS), max(CHANNELS)],
        "licence": "Apache-2.0",
        "held_out_loss": log[-1]["held out"],
        "synthetic_share": 0.3,
        "sets": {name: {"row": row, "licence": licences[name]} for row, name in enumerate(names)},
        "left_out": excluded,
        "validation": held_out,
    }
    folder = BUNDLED / options.name
    save(Checkpoint(model, info), folder, half=True, force=True)
    card = CARD.format(
        name=options.name,
        backbone=model.config.backbone,
        parameters=model.parameter_count,
        megabytes=(folder / "model.safetensors").stat().st_size / 1e6,
        lengths=f"{min(LENGTHS)} to {max(LENGTHS)}",
        channels=f"{min(CHANNELS)} to {max(CHANNELS)}",
        steps=info["steps"],
        windows=info["windows"],
        held_out=", ".join(f"{k}: {v:.3f}" for k, v in info["held_out_loss"].items()),
        count=len(names),
        share=0.3,
        sets="\n".join(f"| {name} | {licences[name]} |" for name in names),
        excluded="\n".join(f"- {k}: {v}" for k, v in info["left_out"].items()),
        validation=", ".join(held_out),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    from tsprout.doctor import golden_record

    (folder / "golden.json").write_text(json.dumps(golden_record(options.name)) + "\n", encoding="utf-8")
    print(f"{folder}: step {state['step']}")


if __name__ == "__main__":
    main()

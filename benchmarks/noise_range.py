"""From which noise to which should drawing go? One fit a task, drawn from by other ranges and numbers of steps.

    python benchmarks/noise_range.py --out ranges.json --tasks SteamGen/10 SteamGen/50 --ranges 80:.01 20:.03 20:.03:16
    python benchmarks/noise_range.py --out ranges.json --mode prompt

Tasks are sets that the bundled model has not seen, cut by the strict protocol; it is trained for all the steps that so
many shots bear (mode full, no judge) or only shown them (prompt), corrected for each range anew, and scored by the
quick metrics and Context-FID. A range is greatest:least[:steps of the solver]. Goes on with what is missing in --out.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tsprout.checkpoint import load
from tsprout.errors import TsproutError
from tsprout.model import Denoiser
from tsprout.staging import write_file
from tsprout.train.calibration import calibrate
from tsprout.train.drawing import draw_many
from tsprout.train.fewshot import BESIDE, Task, entry, prepare, summarise
from tsprout.train.finetune import FinetuneConfig, finetune
from tsprout.train.judge import Judgement
from tsprout.train.shots import memory_of

SETS = ["BikeSharing", "MBA_ECG", "SeattleTrail", "SteamGen", "VicElec", "UCR_PowerCons", "UCR_TwoLeadECG"]
TASKS = [f"{name}/{shots}" for name in SETS for shots in (10, 25, 50)]


def trained(model: Denoiser, task: Task, seed: int) -> tuple[Denoiser, int | None]:
    """The model after all steps that so many shots bear, and its row in the token table."""
    looks = iter(range(10_000))

    def longer_is_better(model: Denoiser, row: int | None) -> Judgement:
        return Judgement(-float(next(looks)), 1.0)

    config = FinetuneConfig.for_shots(len(task.shots))
    found = finetune(model, task.shots, "full", config, judge=longer_is_better, seed=seed)
    return found.model, found.row


@torch.no_grad()
def drawn(model: Denoiser, task: Task, row: int | None, *, n: int, after: bool, seed: int) -> np.ndarray:
    """``n`` series in the units of the source, corrected as the product does."""
    fix = calibrate(model, task.shots, seed=seed, row=row, trained=after)
    generator, (_, channels, length) = torch.Generator().manual_seed(seed + 1), task.shots.values.shape
    latent = draw_many(model, n, channels, length, generator, row=row, memory=memory_of(model, task.shots))
    return task.scaler.inverse(fix.apply(latent))


def within(model: Denoiser, text: str) -> Denoiser:
    """The model with the range and number of steps that ``text`` names, its weights shared."""
    greatest, least, *steps = text.split(":")
    config = replace(model.config, sigma_max=float(greatest), sigma_min=float(least))
    model.config = replace(config, steps=int(steps[0])) if steps else config
    return model


def scores(model: Denoiser, row: int | None, task: Task, ranges: list[str], after: bool, seed: int) -> dict[str, Any]:
    """An entry of each range."""
    own, found, ruler = model.config, {}, task.yardstick
    beside = {kind: ruler.beside("fast")[kind] | ruler.beside("paper")[kind] for kind in BESIDE}
    for text in ranges:
        values = drawn(within(model, text), task, row, n=ruler.size, after=after, seed=seed)
        model.config = own
        found[text] = entry(ruler.score(values, "fast") | ruler.score(values, "paper"), beside)
    return found


def table(found: dict[str, dict[str, Any]], ranges: list[str]) -> str:
    """Markdown: means over the tasks that have all ranges."""
    whole = [of for of in found.values() if all(text in of for text in ranges)]
    lines = [f"{len(whole)} tasks", "", "| range | few-shot | Context-FID | discriminative | frechet | copying |"]
    lines.append("|---|---|---|---|---|---|")
    for text in ranges if whole else ():
        summed = summarise([of[text] for of in whole])
        cells = [summed["few-shot"], *(summed["ratio"][key] for key in ("cfid", "discriminative", "frechet"))]
        lines.append(f"| {text} | " + " | ".join(f"{v:.2f}" for v in (*cells, summed["mean"]["copying"])) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mode", choices=("full", "prompt"), default="full")
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--ranges", nargs="+", default=["80:.01", "20:.03", "10:.03", "80:.01:16", "20:.03:16"])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = load("small").model.eval()
    known = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    for name in asked.tasks:
        of = known.setdefault(f"{asked.mode} {name}", {})
        missing = [text for text in asked.ranges if text not in of]
        if not missing:
            continue
        task = prepare([name], which=("cfid",))[0]
        after = asked.mode == "full"
        own, row = trained(model, task, asked.seed) if after else (model, None)
        of |= scores(own.eval(), row, task, missing, after, asked.seed)
        write_file(asked.out, json.dumps(known))
        told = ", ".join(f"{text} {of[text]['value']['cfid']:.2f}" for text in asked.ranges)
        print(asked.mode, name, "Context-FID", told, "copies", f"{of[missing[0]]['copies']['cfid']:.2f}", flush=True)
    print(table({k: v for k, v in known.items() if k.startswith(asked.mode)}, asked.ranges))


if __name__ == "__main__":
    try:
        main()
    except TsproutError as error:
        sys.exit(str(error))

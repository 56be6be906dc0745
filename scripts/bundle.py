"""Make a bundled checkpoint: averaged weights in 16 bits, facts, model card, golden series.

    python scripts/bundle.py run/checkpoint/ --name small --figures figures.json

SOURCE is a checkpoint folder, or the folder of a run with ``state.safetensors`` (then with ``--corpus``). What the card
says comes from the checkpoint's ``info``, the run's ``log.jsonl`` and the options; see ``tsprout/card.py``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tsprout.card import read_tables, thinned
from tsprout.checkpoint import BUNDLED, CONFIG, Checkpoint, load, save
from tsprout.data.catalog.entry import catalogue
from tsprout.doctor import golden_record


def from_state(folder: Path, corpus_path: str, rows: int, windows_per_step: int) -> Checkpoint:
    """The averaged weights of a run's state, and what its corpus says."""
    from tsprout.data.corpus.episodes import CHANNELS, LENGTHS, EpisodeStream
    from tsprout.data.corpus.store import Corpus
    from tsprout.model import SMALL, Denoiser

    model = Denoiser(replace(SMALL, rows=rows))
    with safe_open(folder / "state.safetensors", framework="pt") as file:
        model.load_state_dict({k[4:]: file.get_tensor(k) for k in file.keys() if k.startswith("ema.")})  # noqa: SIM118
        steps = json.loads(file.metadata()["state"])["step"]
    corpus = Corpus(corpus_path)
    stream = EpisodeStream(corpus)
    licences = {entry.name: entry.licence for entry in corpus.sets}
    info = {
        "steps": steps,
        "windows": steps * windows_per_step,
        "lengths": [min(LENGTHS), max(LENGTHS)],
        "channels": [min(CHANNELS), max(CHANNELS)],
        "synthetic_share": stream.config.synthetic_share,
        "sets": {name: {"row": row, "licence": licences[name]} for row, name in enumerate(stream.sets)},
        "left_out": {entry.name: entry.left_out for entry in catalogue().values() if entry.left_out},
        "validation": [entry.name for entry in corpus.sets if entry.held_out],
    }
    return Checkpoint(model, info)


def from_log(path: Path) -> dict[str, Any]:
    """Seconds, curve and last held-out loss of a run, as far as its log has them."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = [line for line in lines if "step" in line and "loss" in line]
    if not lines:
        return {}
    curve, seconds, before = [], 0.0, 0.0
    for line in lines:
        now = float(line.get("seconds", before))
        seconds += now - before if now >= before else now  # the clock starts anew when a run is resumed
        before = now
        held_out = (line.get("held out") or {}).get("mean")
        curve.append({"step": line["step"], "loss": line["loss"], "held out": held_out})
    facts: dict[str, Any] = {"curve": thinned(curve)}
    facts |= {"seconds": seconds} if seconds else {}
    facts |= {"held_out_loss": lines[-1]["held out"]} if lines[-1].get("held out") else {}
    return facts


def evaluation_sets(trained_on: Iterable[str]) -> list[str]:
    """Names of the catalogue's evaluation sets; stops where one was trained on."""
    kept = sorted(entry.name for entry in catalogue().values() if entry.role == "eval")
    if shared := sorted(set(kept) & set(trained_on)):
        raise SystemExit(f"trained on evaluation sets: {', '.join(shared)}")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="checkpoint folder, or folder with state.safetensors")
    parser.add_argument("--name", default="small")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="folder to put it in; the package's where not given")
    parser.add_argument("--log", type=Path, help="log.jsonl; that of SOURCE or beside it where not given")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="JSON tables that a benchmark wrote")
    parser.add_argument("--note", action="append", default=[], help="a sentence for the card's limits")
    parser.add_argument("--hardware", help="what it was trained on, in words")
    parser.add_argument("--processor-hours", type=float)
    parser.add_argument("--licence", help="of the weights")
    parser.add_argument("--corpus", help="of a state: what it was trained on")
    parser.add_argument("--rows", type=int, default=160, help="of a state: rows of its token table")
    parser.add_argument("--windows-per-step", type=int, default=280, help="of a state: average")
    options = parser.parse_args()

    source = options.source
    if (source / CONFIG).is_file():
        checkpoint = load(source)
    elif options.corpus:
        checkpoint = from_state(source, options.corpus, options.rows, options.windows_per_step)
    else:
        parser.error(f"{source} is not a checkpoint; of a state, say the --corpus")
    logs = (options.log,) if options.log else (source / "log.jsonl", source.parent / "log.jsonl")
    log = next((path for path in logs if path.is_file()), None)
    given = {
        "licence": options.licence,
        "hardware": options.hardware,
        "processor_hours": options.processor_hours,
        "notes": options.note or None,
        "tables": [table for path in options.figures for table in read_tables(path.read_text(), path.name)] or None,
    }
    if checkpoint.info.get("sets"):
        given["never_trained_on"] = evaluation_sets(checkpoint.info["sets"])
    known = {**({} if log is None else from_log(log)), **checkpoint.info}
    checkpoint.info = known | {key: value for key, value in given.items() if value is not None}
    folder = options.out / options.name
    save(checkpoint, folder, half=True, force=True)
    (folder / "golden.json").write_text(json.dumps(golden_record(str(folder))) + "\n", encoding="utf-8")
    print(f"{folder}: step {checkpoint.info.get('steps')}, log {log or 'not found'}")


if __name__ == "__main__":
    main()

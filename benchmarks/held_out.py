"""A pre-trained model on domains it has seen nothing of, against copies, training from scratch, and the paper's way.

    python benchmarks/held_out.py --out held/ --checkpoint runs/small/ --paper runs/paper-6m/ --shots 10 --seeds 3 4
    python benchmarks/held_out.py --out held/ --table held-out.md --json held-out.json --only-table

Tasks: the sets of tsprout/train/few_shot_tasks.toml (those by which models are chosen, and fresh ones of the same
domains), cut by the strict protocol, with seeds that no choice was made by. Contenders:

- ``prompt``: the checkpoint shown the shots and not trained, as the product does it;
- ``auto``: the checkpoint fitted with mode auto;
- ``scratch``: the same network from fresh weights, trained on the shots by the same loop, stopped by the same judge;
- ``paper``: the checkpoint ``--paper`` fine-tuned as published (tsprout/train/paper.py), sampled with its own solver.

Beside them the floor (another real sample), copies of the shots and noise. One cell is one contender on one task; what
it drew and its scores are written at once, so that a run that was stopped goes on with what is missing. Scores:
Context-FID and Disc on standardised series, at one sample size, and the quick metrics.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tsprout.bench.generate import SCRATCH, from_scratch
from tsprout.checkpoint import load
from tsprout.errors import TsproutError
from tsprout.model import Denoiser
from tsprout.staging import write_file
from tsprout.synthesizer import Sprout
from tsprout.train.fewshot import BESIDE, Task, TaskName, draw, plan, prepare_task
from tsprout.train.finetune import FinetuneConfig
from tsprout.train.paper import finetune_as_published
from tsprout.train.shots import Shots

sys.path.insert(0, str(Path(__file__).parent))
from held_out_tables import account, markdown

CONTENDERS = ("prompt", "auto", "scratch", "paper")


@dataclass(frozen=True)
class Options:
    """What decides the numbers of a cell, beside its task; written into it, and compared when a run goes on."""

    n: int = 500
    budget: str = "60s"
    paper_steps: int = 1000
    scratch: FinetuneConfig = SCRATCH
    scores: tuple[str, ...] = ("cfid", "disc")
    repeats: int = 3
    encoders: int = 1
    iterations: int | None = None

    def of(self, contender: str, weights: str) -> dict[str, Any]:
        """What the series of a contender depend on."""
        own: dict[str, Any] = {"auto": {"budget": self.budget}, "paper": {"paper_steps": self.paper_steps}}.get(
            contender, {"scratch": asdict(self.scratch)} if contender == "scratch" else {}
        )
        return {"n": self.n, "weights": weights} | own

    @property
    def ruler(self) -> dict[str, Any]:
        """What the scores depend on."""
        return {
            "which": list(self.scores),
            "repeats": self.repeats,
            "encoders": self.encoders,
            "iterations": self.iterations,
        }


@dataclass
class Models:
    """The checkpoint, and the paper's if there is one, with what tells their weights from others."""

    small: Denoiser
    paper: Denoiser | None = None

    def weights(self, contender: str) -> str:
        """Of a contender: a hash of the weights, or of the configuration where they are fresh."""
        if contender == "scratch":
            return hashlib.sha256(repr(self.small.config).encode()).hexdigest()[:16]
        model = self.paper if contender == "paper" else self.small
        assert model is not None
        found = hashlib.sha256()
        for name, tensor in sorted(model.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:16]


def make(contender: str, task: Task, models: Models, options: Options) -> tuple[np.ndarray, dict[str, Any]]:
    """Series of a contender in the units of the source, ``(n, channels, length)``, and how they came about."""
    seed, series = task.name.seed, task.split.shots
    begun, worked = time.perf_counter(), time.process_time()
    if contender == "paper":
        assert models.paper is not None
        scaler = task.split.scaler
        scaled = scaler.transform(np.where(series.observed, series.values, np.nan))
        shots = Shots.from_latent(scaled, series.lengths)
        tuned = finetune_as_published(models.paper, shots, steps=options.paper_steps, seed=seed)
        fitted = time.perf_counter()
        values = scaler.inverse(draw(tuned.model, shots, options.n, seed=seed, row=tuned.row))
        facts: dict[str, Any] = {"kept": "paper", "steps": options.paper_steps}
    else:
        if contender == "scratch":
            sprout = from_scratch(models.small, series, config=options.scratch, seed=seed)
        else:
            sprout = Sprout(models.small).fit(series, mode=contender, budget=options.budget, seed=seed)
        fitted = time.perf_counter()
        values = sprout.sample(options.n, seed=seed).values
        report = sprout.fit_report
        assert report is not None
        facts = {"kept": report.mode, "steps": report.steps, "reason": report.reason, "judged": report.validation}
    done = time.perf_counter()
    took = {"fit seconds": fitted - begun, "sample seconds": done - fitted}
    took["processor seconds"] = time.process_time() - worked
    return values, facts | {name: round(value, 2) for name, value in took.items()}


class Cell:
    """One contender on one task: ``<out>/<task>/<contender>.npy`` is what it drew, ``.json`` its scores."""

    def __init__(self, out: Path, name: TaskName, contender: str) -> None:
        self.name, self.contender = name, contender
        self.folder = out / "cells" / str(name).replace("/", "-")
        self.series, self.made = self.folder / f"{contender}.npy", self.folder / f"{contender}.made.json"
        self.record = self.folder / f"{contender}.json"

    def read(self, settings: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Its scores; ``None`` where there are none, or they were found with other settings."""
        found = _read(self.record)
        return found if found is not None and settings in (None, found["settings"]) else None

    def run(
        self, task: Callable[[], Task], models: Models, options: Options, settings: dict[str, Any]
    ) -> dict[str, Any]:
        """Draw, unless that is done, and score."""
        known = _read(self.made)
        if known is not None and known["settings"] == settings["made"] and self.series.exists():
            values, facts = np.load(self.series, allow_pickle=False), known["facts"]
        else:
            values, facts = make(self.contender, task(), models, options)
            # The series first: without the facts beside them they do not count.
            write_file(self.series, lambda file: np.save(file, values.astype(np.float32)))
            _write(self.made, {"settings": settings["made"], "facts": facts})
        begun = time.perf_counter()
        ruler = task().yardstick
        value = ruler.score(values, "fast") | ruler.score(values, "paper")
        beside = {kind: ruler.beside("fast")[kind] | ruler.beside("paper")[kind] for kind in BESIDE}
        cell = {"task": asdict(self.name), "contender": self.contender, "value": value, **beside, "facts": facts}
        cell |= {"settings": settings, "score seconds": round(time.perf_counter() - begun, 2)}
        _write(self.record, cell)
        return cell


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (FileNotFoundError, ValueError):
        return None


def _write(path: Path, values: dict[str, Any]) -> None:
    write_file(path, json.dumps(values, indent=1))


def run(
    names: list[TaskName],
    contenders: list[str],
    models: Models,
    options: Options,
    out: Path,
    *,
    seconds: float | None = None,
    say: Callable[[str], object] = print,
) -> bool:
    """Do what is missing, task by task; whether all is done. No cell is begun after ``seconds``."""
    begun, total, number = time.monotonic(), len(names) * len(contenders), 0
    weights = {contender: models.weights(contender) for contender in contenders}
    for name in names:
        held: list[Task] = []

        def task(name: TaskName = name, held: list[Task] = held) -> Task:
            """Prepared when it is first needed, and once for all contenders."""
            if not held:
                held.append(prepare_task(name, size=options.n, cache=out / "beside", **options.ruler))
            return held[0]

        for contender in contenders:
            number += 1
            cell = Cell(out, name, contender)
            settings = {"made": options.of(contender, weights[contender]), "ruler": options.ruler}
            if cell.read(settings) is not None:
                continue
            if seconds is not None and time.monotonic() - begun > seconds:
                say(f"stopped after {seconds:.0f} s, {total - number + 1} of {total} cells not looked at: run it again")
                return False
            found = cell.run(task, models, options, settings)
            facts, value = found["facts"], found["value"]
            told = " ".join(f"{key} {value[key]:.3f}" for key in (*options.scores, "copying"))
            took = f"fit {facts['fit seconds']} s, sample {facts['sample seconds']} s, score {found['score seconds']} s"
            say(f"[{number}/{total}] {name} {contender} ({facts['kept']}, {facts['steps']} steps): {told}; {took}")
    return True


def gather(names: list[TaskName], contenders: list[str], out: Path) -> list[dict[str, Any]]:
    """All cells that are done, of these tasks and contenders."""
    found = (Cell(out, name, contender).read() for name in names for contender in contenders)
    return [cell for cell in found if cell is not None]


def main(arguments: list[str] | None = None) -> None:
    listed = plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the cells; go on by naming it again")
    parser.add_argument("--checkpoint", default="small", help="bundled name or folder")
    parser.add_argument("--paper", help="folder of the paper's pre-trained model, for the contender paper")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--sets", nargs="+", default=[*listed.sets, *listed.fresh])
    parser.add_argument("--shots", nargs="+", type=int, default=list(listed.shots))
    parser.add_argument("--seeds", nargs="+", type=int, default=[3, 4], help=f"choices were made with {listed.seeds}")
    parser.add_argument("--length", type=int, default=listed.length)
    parser.add_argument("-n", type=int, default=Options.n, help="series to draw, and most on each side of a score")
    parser.add_argument("--budget", default=Options.budget, help="of mode auto")
    parser.add_argument("--paper-steps", type=int, default=Options.paper_steps)
    parser.add_argument("--scratch-steps", type=int, default=SCRATCH.steps, help="at most; the judge ends it earlier")
    parser.add_argument(
        "--scores",
        nargs="+",
        default=list(Options.scores),
        help="of the paper suite; disc_capable sees more and takes longer",
    )
    parser.add_argument("--repeats", type=int, default=Options.repeats, help="classifiers of a Disc")
    parser.add_argument("--encoders", type=int, default=Options.encoders, help="of Context-FID")
    parser.add_argument("--iterations", type=int, help="of the networks that score, for a first look")
    parser.add_argument("--seconds", type=float, help="begin no cell after so long")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="of the models; scores are computed on the CPU")
    parser.add_argument("--only-table", action="store_true", help="sum up what is done")
    parser.add_argument("--table", type=Path, help="Markdown to write")
    parser.add_argument("--json", type=Path, help="the same numbers, and every cell")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    if "paper" in asked.contenders and asked.paper is None and not asked.only_table:
        parser.error("the contender paper needs --paper FOLDER; or leave it out of --contenders")
    names = [
        TaskName(name, shots, asked.length, seed)
        for seed in asked.seeds
        for shots in asked.shots
        for name in asked.sets
    ]
    if not asked.only_table:
        options = Options(
            n=asked.n,
            budget=asked.budget,
            paper_steps=asked.paper_steps,
            scratch=FinetuneConfig(**(asdict(SCRATCH) | {"steps": asked.scratch_steps})),
            scores=tuple(asked.scores),
            repeats=asked.repeats,
            encoders=asked.encoders,
            iterations=asked.iterations,
        )
        loaded = load(asked.checkpoint, device=asked.device)
        if seen := sorted(set(asked.sets) & set(loaded.info.get("sets", {}))):
            print(f"this checkpoint was trained on sets of the comparison: {', '.join(seen)}", file=sys.stderr)
        models = Models(loaded.model, load(asked.paper, device=asked.device).model if asked.paper else None)
        run(
            names,
            asked.contenders,
            models,
            options,
            asked.out,
            seconds=asked.seconds,
            say=lambda line: print(line, flush=True),
        )
    cells = gather(names, asked.contenders, asked.out)
    summed = account(cells, asked.contenders, fresh=listed.fresh)
    text = markdown(summed)
    print(text)
    if asked.table:
        asked.table.write_text(text, encoding="utf-8")
    if asked.json:
        asked.json.write_text(json.dumps(summed | {"cells": cells}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except TsproutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)

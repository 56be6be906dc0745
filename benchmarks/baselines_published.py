"""The deep baselines on full data, beside what is printed for them: whether each is a fair implementation.

    python benchmarks/baselines_published.py run --out published/ --sets Stocks --models timegan timevae --seeds 0 1 2
    python benchmarks/baselines_published.py table --out published/ --reported reported_results.csv
    python benchmarks/baselines_published.py run --sets Stocks --device cuda --workers 8     # where there is a GPU
    python benchmarks/baselines_published.py cost                 # seconds per training step, and of what is printed

Sets are cut as the papers cut them: all windows of 24 steps at stride 1 of the whole recording, each channel from 0 to
1 (Sine: 10,000 series of five channels). ``Sine6`` and ``ETTh2`` are those of arXiv 2505.20446 at 100 %
(``tsprout.data.protocols.paper``), for its figures. A model sees these values, not the main product's scaling, draws
as many series as there are windows, and both are scored by ``tsprout.metrics.paper``. Nothing is chosen by these
figures: they only say whether published ones are met.

One cell is one model on one set with one seed: ``<out>/cells/<set>-<model>-<seed>.npy`` is what it drew, ``.json`` its
scores. Both are written whole or not at all, so that a run that was stopped goes on with what is missing; cells of
other settings are made anew. ``--iterations`` and ``--series`` shorten everything for a first look.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.baselines import get
from tsprout.baselines._deep import DeepBaseline
from tsprout.baselines.contract import derived_seed
from tsprout.errors import TsproutError
from tsprout.metrics.paper import paper_scores
from tsprout.staging import write_file

LENGTH, AT_ONCE = 24, 512
SETS = ("Sine", "Stocks", "Energy", "ETTh1", "Sine6", "ETTh2")
MODELS = ("timegan", "timevae", "kovae", "kovae-irregular", "diffusion-ts", "imagentime", "imagentime-stft")
SCORES = ("disc", "pred", "cfid")
# Where a paper has other hyper-parameters for a set than our defaults. Diffusion-TS: its table 8, and twice the batch,
# as it accumulates two. ImagenTime: smaller batches and overlapping columns for full data, as far as known.
_IMAGES: dict[str, Any] = {"batch": 128, "delay": 3, "steps": 18}
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("diffusion-ts", "Sine"): {"encoders": 1, "steps": 12_000},
    ("diffusion-ts", "Sine6"): {"encoders": 1, "steps": 12_000},
    ("diffusion-ts", "Stocks"): {"encoders": 2, "steps": 10_000, "batch": 128},
    ("diffusion-ts", "Energy"): {
        "encoders": 4,
        "decoders": 3,
        "width": 96,
        "diffusion_steps": 1000,
        "steps": 25_000,
        "batch": 128,
    },
} | {(model, name): _IMAGES for model in ("imagentime", "imagentime-stft") for name in SETS}

TABLE_1 = "arXiv 2403.01742, table 1"
# Printed for length 24: mean and spread of Disc, Pred and Context-FID, as (model, set): (source, scores).
PRINTED: dict[tuple[str, str], tuple[str, dict[str, tuple[float, float]]]] = {
    ("timegan", "Sine"): (TABLE_1, {"disc": (0.011, 0.008), "pred": (0.093, 0.019), "cfid": (0.101, 0.014)}),
    ("timegan", "Stocks"): (TABLE_1, {"disc": (0.102, 0.021), "pred": (0.038, 0.001), "cfid": (0.103, 0.013)}),
    ("timegan", "ETTh1"): (TABLE_1, {"disc": (0.114, 0.055), "pred": (0.124, 0.001), "cfid": (0.300, 0.013)}),
    ("timegan", "Energy"): (TABLE_1, {"disc": (0.236, 0.012), "pred": (0.273, 0.004), "cfid": (0.767, 0.103)}),
    ("timevae", "Sine"): (TABLE_1, {"disc": (0.041, 0.044), "pred": (0.093, 0.000), "cfid": (0.307, 0.060)}),
    ("timevae", "Stocks"): (TABLE_1, {"disc": (0.145, 0.120), "pred": (0.039, 0.000), "cfid": (0.215, 0.035)}),
    ("timevae", "ETTh1"): (TABLE_1, {"disc": (0.209, 0.058), "pred": (0.126, 0.004), "cfid": (0.805, 0.186)}),
    ("timevae", "Energy"): (TABLE_1, {"disc": (0.499, 0.000), "pred": (0.292, 0.000), "cfid": (1.631, 0.142)}),
    ("diffusion-ts", "Sine"): (TABLE_1, {"disc": (0.006, 0.007), "pred": (0.093, 0.000), "cfid": (0.006, 0.000)}),
    ("diffusion-ts", "Stocks"): (TABLE_1, {"disc": (0.067, 0.015), "pred": (0.036, 0.000), "cfid": (0.147, 0.025)}),
    ("diffusion-ts", "ETTh1"): (TABLE_1, {"disc": (0.061, 0.009), "pred": (0.119, 0.002), "cfid": (0.116, 0.010)}),
    ("diffusion-ts", "Energy"): (TABLE_1, {"disc": (0.122, 0.003), "pred": (0.250, 0.000), "cfid": (0.089, 0.024)}),
    ("imagentime", "Stocks"): ("arXiv 2410.19538", {"disc": (0.037, 0.006), "pred": (0.036, 0.000)}),
    ("imagentime", "Energy"): ("arXiv 2410.19538", {"disc": (0.040, 0.004), "pred": (0.250, 0.000)}),
}
REPORTED = {"TimeGAN": "timegan", "KoVAE": "kovae", "DiffusionTS": "diffusion-ts", "ImagenTime": "imagentime"}
METRICS = {"discriminative": "disc", "predictive": "pred", "context_fid": "cfid"}


def windows(name: str) -> np.ndarray:
    """All series of a set, ``(n, channels, 24)`` float32, scaled as its papers do."""
    if name in ("Sine6", "ETTh2"):
        from tsprout.data.protocols.paper import paper

        return paper(name.removesuffix("6"), shots=1, length=LENGTH).reference.values
    if name == "Sine":
        from tsprout.data.catalog.generated import sine

        return np.ascontiguousarray(sine(10_000, LENGTH, 5)["train_X"].transpose(0, 2, 1))
    from tsprout.data.catalog.sets import load_set
    from tsprout.data.protocols.scaler import Standardizer

    recording = load_set(name).recordings[0]
    scaled = Standardizer.fit(recording, "min-max").transform(recording)
    cut = np.lib.stride_tricks.sliding_window_view(scaled, LENGTH, axis=1)
    return np.ascontiguousarray(cut.transpose(1, 0, 2))


def build(model: str, name: str, series: int, iterations: int | None, device: str) -> DeepBaseline:
    """The model with what is published for a set, its training cut to about ``iterations`` steps (a phase)."""
    made = get(model)(device=device, **SETTINGS.get((model, name), {}))
    assert isinstance(made, DeepBaseline)
    if iterations is None:
        return made
    if hasattr(made, "iterations"):
        return replace(made, iterations=min(iterations, made.iterations))
    if hasattr(made, "epochs"):
        per_epoch = -(-series // min(made.batch, series))  # type: ignore[attr-defined]
        return replace(made, epochs=max(1, min(iterations // per_epoch, made.epochs)))
    return replace(made, steps=min(iterations, made.steps))  # type: ignore[attr-defined]


def make(baseline: DeepBaseline, real: np.ndarray, seed: int, told: Callable[[str, int, int], None]) -> np.ndarray:
    """Fit to windows as they are, and draw as many."""
    baseline._fit(real, np.full(len(real), real.shape[2]), derived_seed(seed, 0), told)
    parts = []
    for start in range(0, len(real), AT_ONCE):
        parts.append(baseline._sample(min(AT_ONCE, len(real) - start), derived_seed(seed, 1, start)))
    return np.concatenate(parts)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (FileNotFoundError, ValueError):
        return {}


def _write(path: Path, values: dict[str, Any]) -> None:
    write_file(path, json.dumps(values, indent=1))


def cell(name: str, model: str, seed: int, real: np.ndarray, options: argparse.Namespace) -> dict[str, Any]:
    """One model on one set with one seed, drawn and scored as far as that is not done."""
    baseline = build(model, name, len(real), options.iterations, options.device)
    settings = {"set": name, "model": model, "seed": seed, "series": len(real), "hyper": baseline.settings}
    settings = json.loads(json.dumps(settings))
    scoring = {"repeats": options.repeats, "iterations": options.score_iterations}
    stem = options.out / "cells" / f"{name}-{model}-{seed}"
    series, made, record = (stem.with_name(stem.name + tail) for tail in (".npy", ".made.json", ".json"))
    done = _read(record)
    if done.get("settings") == settings and done.get("scoring") == scoring:
        return done
    known = _read(made)
    if known.get("settings") != settings or not series.exists():
        begun, told = time.perf_counter(), [0.0]

        def progress(stage: str, at: int, total: int) -> None:
            if time.perf_counter() - told[0] > 20:
                told[0] = time.perf_counter()
                print(f"  {stem.name}: {stage} {at}/{total}", flush=True)

        drawn = make(baseline, real, seed, progress)
        # The series first: without the facts beside them they do not count.
        write_file(series, lambda file: np.save(file, drawn.astype(np.float32)))
        known = {"settings": settings, "seconds": round(time.perf_counter() - begun, 1)}
        _write(made, known)
    begun = time.perf_counter()
    drawn = np.load(series, allow_pickle=False)
    found = paper_scores(
        real, drawn, which=SCORES, repeats=options.repeats, iterations=options.score_iterations, seed=seed
    )
    scores = {key: {"mean": value.mean, "std": value.std} for key, value in found.items()}
    done = {"settings": settings, "scoring": scoring, "scores": scores, "seconds": known["seconds"]}
    done["score seconds"] = round(time.perf_counter() - begun, 1)
    _write(record, done)
    return done


def run(options: argparse.Namespace) -> None:
    """All cells that were asked for, ``options.workers`` at a time; one that fails is told, and the rest go on."""
    asked = [(name, model, seed) for name in options.sets for model in options.models for seed in options.seeds]
    if options.workers == 1:
        for each in asked:
            told(each, options)
        return
    # A GPU cannot be used after a fork.
    context, threads = multiprocessing.get_context("spawn"), max(1, (os.cpu_count() or 1) // options.workers)
    with ProcessPoolExecutor(options.workers, context, initializer=few_threads, initargs=(threads,)) as pool:
        for each, future in [(each, pool.submit(told, each, options)) for each in asked]:
            if (error := future.exception()) is not None:
                print(*each, f"failed: {error}", flush=True)


def few_threads(count: int) -> None:
    """Processes beside each other share the cores."""
    import torch

    torch.set_num_threads(count)


def told(each: tuple[str, str, int], options: argparse.Namespace) -> None:
    """One cell, and its scores or its error in a line."""
    name, model, seed = each
    real = windows(name)
    if options.series is not None:
        real = real[np.random.default_rng(0).permutation(len(real))[: options.series]]
    try:
        scores = cell(name, model, seed, real, options)["scores"]
    except TsproutError as error:
        print(f"{name} {model} {seed}: {error}", flush=True)
        return
    print(name, model, seed, {key: round(value["mean"], 4) for key, value in scores.items()}, flush=True)


def reported(path: Path | None) -> dict[tuple[str, str], list[tuple[str, dict[str, tuple[float, float]]]]]:
    """Everything printed by model and set: of the papers, and of a table of reported results at 100 %."""
    found = {key: [value] for key, value in PRINTED.items()}
    if path is None:
        return found
    rows: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = {"Sine": "Sine6", "ETTh2": "ETTh2"}.get(row["dataset"])
            model, metric = REPORTED.get(row["model"]), METRICS.get(row["metric"])
            if row["subset"] == "100%" and name and model and metric:
                source = row["source"].split(",")[0]
                scores = rows.setdefault((model, name, source), {})
                scores[metric] = (float(row["mean"]), float(row["std"] or "nan"))
    for (model, name, source), scores in rows.items():
        found.setdefault((model, name), []).append((source, scores))
    return found


def table(options: argparse.Namespace) -> str:
    """Ours (mean and spread over seeds) beside what is printed, in Markdown."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path in sorted((options.out / "cells").glob("*.json")):
        done = _read(path)
        if "scores" in done:
            cells.setdefault((done["settings"]["model"], done["settings"]["set"]), []).append(done)
    printed = reported(options.reported)
    lines = ["| set | model | figures | Disc | Pred | Context-FID | fit and draw, s |", "|---|---|---|---|---|---|---|"]
    for name in SETS:
        for model in MODELS:
            ours = cells.get((model, name))
            if not ours:
                continue
            scores = {key: [done["scores"][key]["mean"] for done in ours] for key in SCORES}
            spread = {
                key: statistics.stdev(values) if len(values) > 1 else float("nan") for key, values in scores.items()
            }
            row = [_pair(statistics.fmean(scores[key]), spread[key]) for key in SCORES]
            seconds = statistics.fmean(done["seconds"] for done in ours)
            lines.append(f"| {name} | {model} | ours, seeds: {len(ours)} | {' | '.join(row)} | {seconds:.0f} |")
            for source, values in printed.get((model, name), []):
                row = [_pair(*values[key]) if key in values else "" for key in SCORES]
                lines.append(f"| | | {source} | {' | '.join(row)} | |")
    return "\n".join(lines) + "\n"


def _pair(mean: float, spread: float) -> str:
    return f"{mean:.3f}" if spread != spread else f"{mean:.3f} ± {spread:.3f}"


def cost(options: argparse.Namespace) -> str:
    """Seconds of a training step at the published size, and of drawing, on series of six channels."""
    import torch

    lines = ["| model | parameters | step, processor s | step, wall s | steps on Stocks | hours | 1000 series, s |"]
    lines.append("|---" * 7 + "|")
    real = np.random.default_rng(0).random((3661, 6, LENGTH), dtype=np.float32)
    for model in options.models:
        whole = build(model, "Stocks", len(real), None, options.device)
        some = real[: getattr(whole, "batch", 128)]
        short = build(model, "Stocks", len(some), 1 + options.steps, options.device)
        stamps: list[tuple[str, float, float]] = []

        def told(stage: str, at: int, total: int, stamps: list[tuple[str, float, float]] = stamps) -> None:
            if options.device != "cpu":
                torch.cuda.synchronize()
            stamps.append((stage, time.process_time(), time.perf_counter()))

        short._fit(some, np.full(len(some), LENGTH), 0, told)
        per_stage: dict[str, list[tuple[float, float]]] = {}
        for (stage, cpu, wall), (later, cpu_later, wall_later) in pairwise(stamps):
            if stage == later:
                per_stage.setdefault(stage, []).append((cpu_later - cpu, wall_later - wall))
        # A step of TimeGAN is one iteration of each of its phases.
        cpu = sum(statistics.median(pair[0] for pair in pairs) for pairs in per_stage.values())
        wall = sum(statistics.median(pair[1] for pair in pairs) for pairs in per_stage.values())
        steps = getattr(whole, "iterations", None) or getattr(whole, "epochs", 0) * -(-len(real) // len(some))
        steps = steps or whole.steps  # type: ignore[attr-defined]
        assert short.network is not None
        count = sum(p.numel() for p in short.network.parameters())
        begun = time.process_time()
        short._sample(options.draw, 0)
        drawn = (time.process_time() - begun) * 1000 / options.draw
        lines.append(
            f"| {model} | {count:,} | {cpu:.3f} | {wall:.3f} | {steps:,} | {steps * cpu / 3600:.1f} | {drawn:.1f} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("run", "table", "cost"))
    parser.add_argument("--out", type=Path, default=Path("published"))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="cells at a time, each in a process")
    parser.add_argument("--iterations", type=int, help="at most so many training steps, for a first look")
    parser.add_argument("--series", type=int, help="so many windows of a set, for a first look")
    parser.add_argument("--repeats", type=int, default=10, help="of Disc and Pred")
    parser.add_argument("--score-iterations", type=int, help="training steps of the scores, for a first look")
    parser.add_argument("--reported", type=Path, help="a table of reported results, to print beside")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of cost")
    parser.add_argument("--draw", type=int, default=64, help="series drawn by cost")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error("--workers is at least 1")
    if options.part == "run":
        run(options)
    elif options.part == "table":
        print(table(options), end="")
    else:
        print(cost(options), end="")


if __name__ == "__main__":
    main()

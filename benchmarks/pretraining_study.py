"""What makes pre-training good, one question at a time, at equal compute and on domains that were left out.

    python benchmarks/pretraining_study.py --corpus corpus/ --out study/ [--only noise ...] [--list] [--tables]

Every run trains a small sibling of ``small`` from scratch, on episodes of all domains but those held out, with one
thing changed. A change of recipe gets as many steps as the reference, a change of network as many as fit the same
processor time: both are timed in turn on the same batches, and the ratio of medians sets the number. A run is judged on
the held-out domains: denoising loss of fixed episodes, weighted alike whatever the run's own weighting, and prompt-only
samples of the few-shot tasks ``quick`` (tsprout.train.fewshot). One JSON line a run; what is there already is not run
again. ``--tables`` prints them as Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tsprout.data.corpus.episodes import EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.diffusion.denoiser import loss_weight
from tsprout.model import Denoiser, ModelConfig
from tsprout.train import fewshot
from tsprout.train.loop import LoopConfig, build_optimizers
from tsprout.train.pretrain import PretrainConfig, pretrain
from tsprout.train.record import LEVELS
from tsprout.train.validation import Validation, batch_loss

STEPS = 300
MODEL = ModelConfig(width=96, depth=4, heads=4, rows=160)
STREAM = StreamConfig(
    cells=4096,
    lengths=(16, 24, 32, 48),
    length_shares=(0.2, 0.4, 0.2, 0.2),
    channels=(1, 2, 3, 5, 7, 12),
    channel_shares=(0.35, 0.15, 0.15, 0.15, 0.15, 0.05),
)
LOOP = LoopConfig(
    STEPS,
    2e-3,
    warmup=30,
    cooldown=0.3,
    optimizer="muon",
    betas=(0.9, 0.95),
    weight_decay=0.01,
    ema=0.99,
)
UNET = {"backbone": "unet", "width": 24, "multipliers": (1, 2, 2), "blocks": 2, "attention_sides": (4, 2)}


@dataclass(frozen=True)
class Run:
    """One change: settings of model, stream and loop, conditions dropped, and whether processor time or steps count."""

    model: dict[str, Any] = field(default_factory=dict)
    stream: dict[str, Any] = field(default_factory=dict)
    loop: dict[str, Any] = field(default_factory=dict)
    drop: tuple[float, float] = (0.1, 0.5)
    timed: bool = False
    share: float = 1.0


NET = {"timed": True}
QUESTIONS: dict[str, dict[str, Run]] = {
    "reference": {"seed 0": Run(), "seed 1": Run(loop={"seed": 1}), "seed 2": Run(loop={"seed": 2})},
    "synthetic": {f"{share:.0%} synthetic": Run(stream={"synthetic_share": share}) for share in (0.0, 0.6, 1.0)},
    "noise": {
        "EDM's, -1.2 and 1.2": Run({"noise_mean": -1.2, "noise_std": 1.2}),
        "0 and 1.6": Run({"noise_mean": 0.0, "noise_std": 1.6}),
        "uniform, .02 to 40": Run({"noise": "uniform", "noise_low": 0.02, "noise_high": 40.0}),
    },
    "sigma_data": {f"sigma_data {value}": Run({"sigma_data": value}) for value in (0.5, 1.0)},
    "channels": {kind: Run({"channel_mixing": kind}, **NET) for kind in ("invariant", "learned")},
    "prompt": {
        "pooled vector alone": Run({"prompt_use": "pooled"}, **NET),
        "cross-attention alone": Run({"prompt_use": "cross"}, **NET),
    },
    "conditions": {
        "prompt, no token": Run({"rows": 0}),
        "token, no prompt": Run({"prompt_depth": 0}, drop=(1.0, 0.1), **NET),
        "neither": Run({"prompt_depth": 0, "rows": 0}, **NET),
    },
    "size": {
        f"width {width}, depth {depth}": Run({"width": width, "depth": depth}, **NET)
        for width, depth in ((64, 4), (96, 8), (144, 4))
    },
    "rate": {f"rate {rate:g}": Run(loop={"learning_rate": rate}) for rate in (1e-3, 4e-3)},
    "optimizer": {
        "AdamW, 1e-3": Run(loop={"optimizer": "adamw", "learning_rate": 1e-3}, **NET),
    },
    "batch": {
        "2048 cells": Run(stream={"cells": 2048}, **NET),
        "8192 cells": Run(stream={"cells": 8192}, **NET),
        "32 targets an episode": Run(stream={"targets": 32}, **NET),
    },
    "schedule": {
        "constant": Run(loop={"cooldown": 0.0}),
        "cosine": Run(loop={"cooldown": 1.0, "decay": "cosine"}),
    },
    "average": {f"average {value}": Run(loop={"ema": value}) for value in (0.97, 0.995)},
    "weighting": {kind: Run({"weighting": kind}) for kind in ("velocity", "learned")},
    "augmentation": {
        "none": Run(stream={"flip": 0.0, "reverse": 0.0, "gain": 0.0}),
        "twice as much": Run(stream={"flip": 0.6, "reverse": 0.2, "gain": 0.3}),
    },
    "temperature": {f"temperature {value:g}": Run(stream={"temperature": value}) for value in (1.0, 1000.0)},
    "attention": {
        "8 heads": Run({"heads": 8}, **NET),
        "in every other layer": Run({"attention_every": 2}, **NET),
        "SwiGLU": Run({"feed_forward": "swiglu"}, **NET),
    },
    "grid": {
        "UNet, exact grid": Run({**UNET, "grid": "exact"}, **NET),
        "UNet, padded 8x8": Run({**UNET, "grid": "padded", "delay": 8, "dimension": 8}, **NET),
        "transformer, columns of 8": Run({"dimension": 8, "delay": 8}, **NET),
    },
    "compute": {f"{share:g} times the steps": Run(share=share) for share in (0.25, 0.5, 2)},
}


def cost_ratio(
    corpus: Corpus, exclude: list[str], base: PretrainConfig, other: PretrainConfig, rounds: int = 9
) -> float:
    """Processor time of a step of ``other`` over that of ``base``: medians over alternating steps."""
    sides = []
    for config in (base, other):
        model = Denoiser(config.model)
        stream = EpisodeStream(corpus, config.stream, seed=99, exclude=exclude)
        sides.append((model, stream, build_optimizers(model, config.loop), config))
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for side, (model, stream, optimizers, config) in enumerate(sides):
            begun = time.process_time()
            loss = batch_loss(
                model,
                next(stream),
                torch.Generator().manual_seed(0),
                drop_prompt=config.drop_prompt,
                drop_token=config.drop_token,
            ).mean()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            times[side].append(time.process_time() - begun)
    return statistics.median(times[1][1:]) / statistics.median(times[0][1:])


def configured(run: Run, steps: int) -> PretrainConfig:
    """The configuration of a run of so many steps."""
    loop = replace(replace(LOOP, **run.loop), steps=steps)
    return PretrainConfig(
        model=replace(MODEL, **run.model),
        loop=loop,
        stream=replace(STREAM, **run.stream),
        drop_prompt=run.drop[0],
        drop_token=run.drop[1],
        validate_every=0,
        log_every=steps,
        exclude_domains=fewshot.plan().domains,
    )


def execute(run: Run, corpus: Corpus, tasks: list[fewshot.Task], held_out: Validation, steps: int) -> dict[str, Any]:
    """Train and judge; the figures."""
    exclude = [e.name for e in corpus.sets if e.domain in fewshot.plan().domains and not e.held_out]
    ratio = 1.0
    if run.timed:
        ratio = cost_ratio(corpus, exclude, configured(Run(), steps), configured(run, steps))
    steps = max(20, round(steps * run.share / ratio))
    config = configured(run, steps)
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        trained = pretrain(config, corpus, Path(folder))
    seconds = time.process_time() - begun
    model = trained.model
    by_level = held_out(model)
    levels = torch.tensor(LEVELS)
    alike = (loss_weight(levels, 1.5) / loss_weight(levels, config.model.sigma_data)).tolist()
    losses = [value * factor for value, factor in zip(list(by_level.values())[: len(LEVELS)], alike, strict=True)]
    scores = fewshot.score(model, tasks, n=300)
    return {
        "parameters": model.parameter_count,
        "cost": ratio,
        "steps": steps,
        "windows": trained.windows,
        "cpu_seconds": seconds,
        "loss": sum(losses) / len(losses),
        "losses": losses,
        "few_shot": scores["few-shot"],
        "scores": {k: v for k, v in scores.items() if k != "tasks"},
        "tasks": {name: task["value"] for name, task in scores["tasks"].items()},
    }


def runs(only: list[str]) -> Iterator[tuple[str, str, Run]]:
    """Question, name and run, in order."""
    for question, cases in QUESTIONS.items():
        if not only or question in only:
            for name, run in cases.items():
                yield question, name, run


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a study, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tables(lines: list[dict[str, Any]]) -> str:
    """One Markdown table a question, the reference's seeds above each."""
    told = ("frechet", "discriminative", "autocorrelation")
    head = ["", "parameters", "cost of a step", "steps", "windows", "held-out loss", "few-shot", *told, "copying"]
    out = []
    reference = [line for line in lines if line["question"] == "reference"]
    for question in dict.fromkeys(line["question"] for line in lines):
        rows = reference + [line for line in lines if line["question"] == question != "reference"]
        out += [f"### {question}", "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        for line in rows:
            name = line["name"] if line["question"] != "reference" else f"reference, {line['name']}"
            scores = [f"{line['scores']['ratio'][metric]:.2f}" for metric in told]
            cells = [name, f"{line['parameters']:,}", f"{line['cost']:.2f}", f"{line['steps']}", f"{line['windows']:,}"]
            cells += [
                f"{line['loss']:.4f}",
                f"{line['few_shot']:.3f}",
                *scores,
                f"{line['scores']['mean']['copying']:.2f}",
            ]
            out.append("| " + " | ".join(cells) + " |")
        out.append("")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[], help="questions")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args()
    if options.tables:
        print(tables(read(options.out / "study.jsonl")))
        return
    if options.list:
        for question, name, _ in runs(options.only):
            print(f"{question}: {name}")
        return
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "study.jsonl"
    corpus = Corpus(options.corpus)
    names = [e.name for e in corpus.sets if e.domain in fewshot.plan().domains]
    held_out = Validation(corpus, names)
    tasks = fewshot.prepare(["quick"], size=300, cache=options.out / "cache")
    for question, name, run in runs(options.only):
        if any((line["question"], line["name"]) == (question, name) for line in read(results)):
            continue
        begun = time.monotonic()
        line = {"question": question, "name": name} | execute(run, corpus, tasks, held_out, options.steps)
        with open(results, "a") as file:
            file.write(json.dumps(line) + "\n")
        print(
            f"{question}: {name}: {line['steps']} steps, loss {line['loss']:.4f}, few-shot {line['few_shot']:.3f} "
            f"({time.monotonic() - begun:.0f} s)",
            flush=True,
        )


if __name__ == "__main__":
    main()

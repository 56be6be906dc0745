"""The published scores with all repeats trained as one, against the same scores one run after the other.

    python benchmarks/paper_scores.py speed --rounds 5
    python benchmarks/paper_scores.py agree --runs 5
    python benchmarks/paper_scores.py etth2 --data ETTh2.npz

``speed``: some steps of ten networks as one, and of ten networks of ``torch.nn.GRU`` and ``torch.optim.Adam`` (or
``torch.nn.Conv1d`` and ``torch.optim.AdamW``) one after the other, alternating; medians, their ratio, and what the
published numbers of steps would take. Both in seconds of the wall clock and of the processor; only the second means
something on a machine that others use. ``agree``: both ways at full length on sets whose scores lie inside the range.
``etth2``: the scores of two halves of the training windows of ETTh2 (length 24), and of copies of ten of them. The file
holds ``series`` (steps, channels).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tsprout.metrics.paper import context_fid, discriminative, predictive
from tsprout.metrics.paper.contrast import hierarchical_loss
from tsprout.metrics.paper.ts2vec import DEPTH, OUTPUTS, WIDTH, TS2Vec, crop

CHANNELS, LENGTH = 7, 24


def fake(n: int, seed: int, coefficient: float = 0.9) -> np.ndarray:
    """Autoregressions ``(n, 7, 24)`` of unit spread that share half of their noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, CHANNELS, LENGTH)) * 0.7 + rng.standard_normal((n, 1, LENGTH)) * 0.7
    for t in range(1, LENGTH):
        x[..., t] = coefficient * x[..., t - 1] + np.sqrt(1 - coefficient**2) * x[..., t]
    return x


def tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.transpose(0, 2, 1).astype(np.float32))


def plain_discriminative(real: np.ndarray, synthetic: np.ndarray, iterations: int, seed: int) -> float:
    """One run as anyone would write it."""
    torch.manual_seed(seed)
    hidden = max(1, real.shape[1] // 2)
    gru, head = nn.GRU(real.shape[1], hidden, batch_first=True), nn.Linear(hidden, 1)
    optimiser = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=1e-3)
    sets = [tensor(values)[torch.randperm(len(values))] for values in (real, synthetic)]
    train, test = zip(*((rows[: int(0.8 * len(rows))], rows[int(0.8 * len(rows)) :]) for rows in sets), strict=True)
    target = torch.tensor([0.0, 1.0]).repeat_interleave(32)
    for _ in range(iterations):
        x = torch.cat([rows[torch.randperm(len(rows))[:32]] for rows in train])
        optimiser.zero_grad()
        logits = head(gru(x)[0][:, -1])[:, 0]
        functional.binary_cross_entropy_with_logits(logits, target).backward()
        optimiser.step()
    with torch.no_grad():
        answers = [head(gru(rows)[0][:, -1])[:, 0] > 0 for rows in test]
    accuracy = torch.cat([~answers[0], answers[1]]).float().mean()
    return abs(0.5 - float(accuracy))


def plain_predictive(real: np.ndarray, synthetic: np.ndarray, iterations: int, seed: int) -> float:
    """One run as anyone would write it."""
    torch.manual_seed(seed)
    hidden = max(1, real.shape[1] // 2)
    gru, head = nn.GRU(real.shape[1] - 1, hidden, batch_first=True), nn.Linear(hidden, 1)
    optimiser = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=1e-3)
    data, test = tensor(synthetic), tensor(real)
    for _ in range(iterations):
        x = data[torch.randperm(len(data))[:128]]
        optimiser.zero_grad()
        (torch.sigmoid(head(gru(x[:, :-1, :-1])[0])) - x[:, 1:, -1:]).abs().mean().backward()
        optimiser.step()
    with torch.no_grad():
        return float((torch.sigmoid(head(gru(test[:, :-1, :-1])[0])) - test[:, 1:, -1:]).abs().mean())


class PlainBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(inputs, outputs, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv1d(outputs, outputs, 3, padding=dilation, dilation=dilation)
        self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(functional.gelu(self.first(functional.gelu(x)))) + self.shortcut(x)


class PlainEncoder(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [WIDTH] * (DEPTH + 1) + [OUTPUTS]
        self.projection = nn.Linear(channels, WIDTH)
        self.blocks = nn.Sequential(*(PlainBlock(widths[k], widths[k + 1], 2**k) for k in range(DEPTH + 1)))

    def forward(self, x: Tensor, kept: Tensor | float = 1.0) -> Tensor:
        return self.blocks((self.projection(x) * kept).transpose(1, 2)).transpose(1, 2)


def plain_encoder(real: np.ndarray, iterations: int, seed: int) -> nn.Module:
    """One TS2Vec encoder of convolutions with all their taps."""
    torch.manual_seed(seed)
    encoder = PlainEncoder(real.shape[1])
    averaged = torch.optim.swa_utils.AveragedModel(encoder)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=1e-3)
    data, rng = tensor(real), np.random.default_rng(seed)
    for _ in range(iterations):
        x = data[torch.randperm(len(data))[:8]]
        a1, a2, b1, b2 = crop(x.shape[1], rng)
        optimiser.zero_grad()
        first, second = (
            encoder(x[:, a:b], (torch.rand(len(x), b - a, 1) < 0.5).float()) for a, b in ((a1, b1), (a2, b2))
        )
        hierarchical_loss(first[None, :, a2 - a1 : b1 - a1], second[None, :, : b1 - a2]).sum().backward()
        optimiser.step()
        averaged.update_parameters(encoder)
    return averaged


def plain_embed(encoder: nn.Module, values: np.ndarray) -> np.ndarray:
    data = tensor(values)
    with torch.inference_mode():
        return torch.cat([encoder(data[k : k + 256]).amax(1) for k in range(0, len(data), 256)])[None].numpy()


def alternate(one: Callable[[], object], other: Callable[[], object], rounds: int) -> dict[str, float]:
    """Medians of both, run in turn after one warm-up each, and the ratio of the medians."""
    times: dict[str, list[tuple[float, float]]] = {"one": [], "other": []}
    for number in range(rounds + 1):
        for name, run in (("one", one), ("other", other)):
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if number:
                times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    return {
        "batched, wall (s)": medians["one"][0],
        "plain, wall (s)": medians["other"][0],
        "wall, plain / batched": medians["other"][0] / medians["one"][0],
        "batched, processor (s)": medians["one"][1],
        "plain, processor (s)": medians["other"][1],
        "processor, plain / batched": medians["other"][1] / medians["one"][1],
    }


def speed(rounds: int, steps: int) -> dict[str, dict[str, float]]:
    real, other = fake(2000, 1), fake(2000, 2)
    few = fake(64, 3)
    short = max(steps // 5, 1)
    encoders = TS2Vec.fit(real, encoders=10, iterations=1)
    plain = plain_encoder(real, 1, 0)
    runs: dict[str, tuple[Callable[[], object], Callable[[], object], int]] = {
        f"discriminative, ten runs of {steps} steps": (
            lambda: discriminative.discriminative_paper(few, few, iterations=steps),
            lambda: [plain_discriminative(few, few, steps, seed) for seed in range(10)],
            rounds,
        ),
        f"predictive, ten runs of {steps} steps": (
            lambda: predictive.predictive_paper(few, other, iterations=steps),
            lambda: [plain_predictive(few, other, steps, seed) for seed in range(10)],
            rounds,
        ),
        f"one encoder, {short} steps": (
            lambda: TS2Vec.fit(real, encoders=1, iterations=short),
            lambda: plain_encoder(real, short, 0),
            rounds,
        ),
        f"ten encoders, {short} steps": (
            lambda: TS2Vec.fit(real, encoders=10, iterations=short),
            lambda: [plain_encoder(real, short, seed) for seed in range(10)],
            rounds,
        ),
        "embedding 200 series by ten encoders": (
            lambda: encoders.embed(real[:200]),
            lambda: [plain_embed(plain, real[:200]) for _ in range(10)],
            rounds,
        ),
    }
    found = {}
    for name, (one, two, count) in runs.items():
        found[name] = alternate(one, two, count)
        print(name, {key: round(value, 3) for key, value in found[name].items()}, flush=True)
    disc, pred, encoder, _, embed = found.values()
    for kind in ("wall", "processor"):
        # 2000, 5000 and 600 steps; 2 x 8353 series, by one encoder
        total = {
            way: disc[f"{way}, {kind} (s)"] * 2000 / steps
            + pred[f"{way}, {kind} (s)"] * 5000 / steps
            + encoder[f"{way}, {kind} (s)"] * 600 / short
            + embed[f"{way}, {kind} (s)"] / 10 * 2 * 8353 / 200
            for way in ("batched", "plain")
        }
        found[f"whole suite, {kind}"] = total | {"plain / batched": total["plain"] / total["batched"]}
    return found


def agree(runs: int) -> dict[str, dict[str, list[float]]]:
    """Mean and spread of both ways at full length, on sets between the ends of the scale."""
    real, other = fake(1500, 1), fake(1500, 2, coefficient=0.75)
    inside, outside = 0.5 + real / 6, 0.5 + other / 6
    noise = np.random.default_rng(0).uniform(0, 1, outside.shape)
    outside = np.where(np.random.default_rng(1).random((1500, 1, 1)) < 0.5, noise, outside)
    encoders = TS2Vec.fit(real, encoders=runs)
    pairs: dict[str, tuple[np.ndarray, list[float]]] = {
        "discriminative": (
            discriminative.discriminative_paper(real, other).values,
            [plain_discriminative(real, other, 2000, seed) for seed in range(runs)],
        ),
        "predictive": (
            predictive.predictive_paper(inside, outside).values,
            [plain_predictive(inside, outside, 5000, seed) for seed in range(runs)],
        ),
        "context-FID": (
            context_fid.frechet(encoders.embed(real), encoders.embed(other)),
            [
                float(context_fid.frechet(plain_embed(plain, real), plain_embed(plain, other))[0])
                for plain in (plain_encoder(real, 600, seed) for seed in range(runs))
            ],
        ),
    }
    return {
        name: {
            "batched: mean, std": [float(np.mean(ours)), float(np.std(ours, ddof=1))],
            "plain: mean, std": [float(np.mean(theirs)), float(np.std(theirs, ddof=1))],
        }
        for name, (ours, theirs) in pairs.items()
    }


def etth2(path: Path, draws: int) -> dict[str, list[float]]:
    """Scores of two halves, and of copies of ten windows, at length 24: the training split, z-scored."""
    with np.load(path, allow_pickle=False) as archive:
        series = archive["series"].astype(np.float64)
    series = (series - series[:8640].mean(0)) / series[:8640].std(0)
    windows = np.lib.stride_tricks.sliding_window_view(series, LENGTH, axis=0)[:8353]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(windows))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    copies = [rng.permutation(len(windows))[:10][rng.integers(10, size=len(windows))] for _ in range(draws)]
    started = time.perf_counter()
    encoder = context_fid.fit(windows)
    rows = encoder.embed(windows)
    found: dict[str, list[float]] = {
        "context-FID, halves": context_fid.frechet(rows[:, halves[0]], rows[:, halves[1]]).tolist(),
        "context-FID, copies": [float(context_fid.frechet(rows, rows[:, chosen])[0]) for chosen in copies],
        "context-FID, seconds": [time.perf_counter() - started],
    }
    print(found, flush=True)
    sets = [("halves", windows[halves[0]], windows[halves[1]])]
    sets += [("copies", windows, windows[chosen]) for chosen in copies]
    for name, one, other in sets:
        for score, measure in (
            ("discriminative", discriminative.discriminative_paper),
            ("predictive", predictive.predictive_paper),
            ("capable discriminative", discriminative.discriminative_capable),
            ("capable predictive", predictive.predictive_capable),
        ):
            started = time.perf_counter()
            result = measure(one, other)
            found.setdefault(f"{score}, {name}: mean, std", []).extend([result.mean, result.std])
            found.setdefault(f"{score}, seconds", []).append(time.perf_counter() - started)
            print(score, name, round(result.mean, 4), round(result.std, 4), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("speed", "agree", "etth2"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="steps of training that are timed")
    parser.add_argument("--runs", type=int, default=5, help="plain runs to agree with")
    parser.add_argument("--data", type=Path, default=Path("ETTh2.npz"))
    parser.add_argument("--draws", type=int, default=3, help="draws of ten windows")
    options = parser.parse_args()
    found: object
    if options.part == "speed":
        found = speed(options.rounds, options.steps)
    elif options.part == "agree":
        found = agree(options.runs)
    else:
        found = etth2(options.data, options.draws)
    print(json.dumps(found, indent=1, default=float))


if __name__ == "__main__":
    main()

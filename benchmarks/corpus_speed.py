"""What the corpus costs: windows a second against the training of the bundled model, and memory on a large corpus.

    python benchmarks/corpus_speed.py speed CORPUS --rounds 7
    python benchmarks/corpus_speed.py memory FOLDER --gigabytes 20 --batches 3000

``speed``: one thread; batches of series of 24 steps and 7 channels are drawn, and the bundled model is trained on such
batches, in turn; the figure is the ratio of the medians of windows a second, for real sets alone, for the usual share
of synthetic ones, and for these alone. Only targets count as windows, not the shots that are drawn with them.

``memory``: writes a synthetic corpus of so many gigabytes into FOLDER (kept, and used again if it is there), then a
process of its own draws batches all over it. Peak resident memory, which counts mapped pages, is the kernel's (Linux).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from tsprout.data.corpus.episodes import Batch, EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.data.corpus.writer import CorpusWriter

FIXED = StreamConfig(lengths=(24,), length_shares=(1.0,), channels=(7,), channel_shares=(1.0,))


def windows(batch: Batch) -> int:
    return batch.targets.shape[0] * batch.targets.shape[1]


def speed(corpus: Corpus, rounds: int, config: StreamConfig) -> dict[str, float]:
    """Medians over rounds of windows a second, drawing and training in turn."""
    import torch

    from tsprout.checkpoint import load
    from tsprout.train.loop import Loop, LoopConfig
    from tsprout.train.validation import batch_loss

    torch.set_num_threads(1)
    stream = EpisodeStream(corpus, config, seed=1)
    model = load("small").model
    held: list[Batch] = []

    def loss(generator: torch.Generator) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return batch_loss(model, held.pop(), generator, drop_prompt=0.1, drop_token=0.5).mean()

    loop = Loop(model, loss, LoopConfig(10**6, 1e-4, optimizer="muon"))
    rates: dict[str, list[float]] = {"drawn": [], "trained": []}
    for number in range(rounds + 1):
        begun = time.perf_counter()
        held = [next(stream) for _ in range(60)]
        drawn = sum(map(windows, held)) / (time.perf_counter() - begun)
        held = held[:4]
        count = sum(map(windows, held))
        begun = time.perf_counter()
        while held:
            loop.advance()
        trained = count / (time.perf_counter() - begun)
        if number:
            rates["drawn"].append(drawn)
            rates["trained"].append(trained)
    drawn, trained = (statistics.median(rates[key]) for key in ("drawn", "trained"))
    return {"drawn a second": round(drawn), "trained a second": round(trained), "ratio": round(drawn / trained, 1)}


def peak() -> int:
    """Megabytes of memory that this process had resident at most, mapped files included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3)


def write_large(folder: Path, gigabytes: float) -> None:
    """Eight sets of random walks: long recordings, short ones and instances, of 1 to 21 channels."""
    rng = np.random.default_rng(0)
    per_set = gigabytes * 1e9 / 4 / 8
    shapes = ((1, 200_000), (7, 50_000), (21, 20_000), (3, 2_000), (1, 400), (7, 96), (12, 1_000_000), (2, 10_000))
    with CorpusWriter(folder) as writer:
        for number, (channels, steps) in enumerate(shapes):
            count = max(1, int(per_set / (channels * steps)))
            noise = rng.standard_normal((channels, 2 * steps), dtype=np.float32).cumsum(1)
            cuts = rng.integers(0, steps, count)
            pieces = (noise[:, cut : cut + steps] * rng.choice((-1, 1)) for cut in cuts)
            writer.add(f"set {number}", pieces, domain=f"domain {number % 3}", instances=steps == 96)


def draw(folder: str, batches: int) -> None:
    """Draw batches of all lengths and channels; print peak memory on the way, and bytes of the corpus touched."""
    stream = EpisodeStream(Corpus(folder), StreamConfig(synthetic_share=0.0), seed=0)
    begun, count, peaks = time.perf_counter(), 0, []
    for number in range(batches):
        count += windows(next(stream))
        if number % max(1, batches // 5) == max(1, batches // 5) - 1:
            peaks.append(peak())
    seconds = time.perf_counter() - begun
    print(
        json.dumps({"batches": batches, "peak MB, five times on the way": peaks, "windows/s": round(count / seconds)})
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    fast = verbs.add_parser("speed")
    fast.add_argument("corpus")
    fast.add_argument("--rounds", type=int, default=7)
    large = verbs.add_parser("memory")
    large.add_argument("folder", type=Path)
    large.add_argument("--gigabytes", type=float, default=20.0)
    large.add_argument("--batches", type=int, default=3000)
    large.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.verb == "speed":
        corpus = Corpus(options.corpus)
        for share in (0.0, 0.3, 1.0):
            result = speed(corpus, options.rounds, replace(FIXED, synthetic_share=share))
            print(json.dumps({"synthetic share": share} | result), flush=True)
    elif options.draw:
        draw(str(options.folder), options.batches)
    else:
        if not (options.folder / "corpus.json").is_file():
            options.folder.mkdir(parents=True, exist_ok=True)
            write_large(options.folder, options.gigabytes)
        size = int(Corpus(options.folder).shard_bytes.sum())
        print(
            json.dumps({"corpus GB": round(size / 1e9, 2), "peak MB of this process, which wrote it": peak()}),
            flush=True,
        )
        again = [sys.executable, __file__, "memory", str(options.folder), "--batches", str(options.batches), "--draw"]
        raise SystemExit(subprocess.run(again).returncode)


if __name__ == "__main__":
    main()

"""Pre-train the bundled model ``small``: resume from OUT if it holds a state, stop after --seconds or --steps.

The rate is constant until ``--cooldown-from``, then falls linearly to zero at ``--steps``; so a run can be prolonged as
long as it still improves, and cooled down when its weights are wanted.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from tsprout.checkpoint import load
from tsprout.data.corpus.store import Corpus
from tsprout.model import SMALL
from tsprout.train.loop import LoopConfig
from tsprout.train.pretrain import PretrainConfig, pretrain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, help="folder made by tsprout corpus build")
    parser.add_argument("--out", type=Path, required=True, help="folder for state and log")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--cooldown-from", type=int, default=None, help="step at which the rate begins to fall")
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0, help="processes that draw batches ahead")
    parser.add_argument("--start-from", default=None, help="checkpoint to begin with: bundled name or folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cooldown = 0.0 if options.cooldown_from is None else 1 - options.cooldown_from / options.steps
    loop = LoopConfig(
        steps=options.steps,
        learning_rate=options.rate,
        warmup=100,
        cooldown=cooldown,
        optimizer="muon",
        betas=(0.9, 0.95),
        weight_decay=0.01,
        ema=0.998,
    )
    config = PretrainConfig(model=replace(SMALL, rows=160), loop=loop, accumulate=1, validate_every=250)
    pretrain(
        config,
        Corpus(options.corpus),
        options.out,
        workers=options.workers,
        seconds=options.seconds,
        start_from=None if options.start_from is None else load(options.start_from).model,
        log=lambda line: print(json.dumps(line), flush=True),
    )


if __name__ == "__main__":
    main()

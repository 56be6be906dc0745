"""Kill -9 at random moments of a pre-training, and look whether the resumed run ends with the bits of an unbroken one.

    python benchmarks/resume_kills.py [--kills 50] [--seed 0]

One tiny run of ``tsprout pretrain`` (a corpus of random walks, state saved after every step) is left alone; then, in a
fresh folder each, the same command is killed at a moment drawn uniformly over the time from its first state to its end
and started again. Compared are all bits of state, checkpoint, and log but for its times. Processes are forked from one
that has imported everything, so that kills hit training and not starting up; moments while a state is being written are
among them, for that is much of what so small a run does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from tsprout.data.corpus.writer import CorpusWriter

CONFIG = """
name: killed
model: {width: 16, depth: 1, heads: 2, canonical: 8, rows: 2, prompt_depth: 2, dropout: 0.1}
stream:
  {synthetic_share: 0.05, cells: 128, targets: 6, lengths: [8, 16], length_shares: [1, 1], channels: [1, 2],
   channel_shares: [1, 1]}
training: {steps: 24, learning_rate: 1e-3, warmup: 5, cooldown: 0.5, pieces: 2, log_every: 3, optimizer: muon}
engine: {threads: 1, save_seconds: 0}
"""


def write_corpus(folder: Path) -> None:
    rng = np.random.default_rng(0)
    folder.mkdir()
    with CorpusWriter(folder) as writer:
        for number, channels in enumerate((1, 3)):
            walks = (rng.standard_normal((channels, 1000)).cumsum(1) for _ in range(4))
            writer.add(f"set {number}", walks, domain=f"domain {number}", instances=False)


def run(config: Path, out: Path) -> int:
    """Fork a process that pre-trains; its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        from tsprout.pretraining import pretrain

        pretrain(str(config), out, corpus=str(config.parent / "corpus"))
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code)


def finished(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def bits(out: Path) -> dict[str, object]:
    """Everything a run leaves that must not depend on how often it was broken off."""
    found: dict[str, object] = {}
    for path in (out / "state.safetensors", out / "checkpoint" / "model.safetensors"):
        with safe_open(path, framework="np") as file:
            found |= {f"{path.name}/{name}": file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    found["log"] = [{k: v for k, v in line.items() if k not in ("seconds", "windows_per_second")} for line in lines]
    found["left"] = sorted(path.name for path in out.iterdir())
    return found


def kills(folder: Path, count: int, seed: int) -> list[dict[str, object]]:
    """Kill ``count`` runs once each; what step each was killed at, and whether it ended with the same bits."""
    torch.set_num_threads(1)
    import lightning_fabric  # noqa: F401  imported once, here, and not in every fork
    import torch._dynamo as _  # noqa: F401  by the optimisers

    import tsprout.pretraining
    import tsprout.train.configuration  # noqa: F401

    config, rng = folder / "killed.yaml", np.random.default_rng(seed)
    config.write_text(CONFIG)
    write_corpus(folder / "corpus")
    whole = folder / "whole"
    begun = time.monotonic()
    child = run(config, whole)
    first = wait_for(whole / "state.safetensors") - begun
    if not finished(child):
        raise SystemExit("the unbroken run failed")
    length, expected, found = time.monotonic() - begun, bits(whole), []
    for number in range(count):
        out = folder / f"broken {number}"
        child, moment = run(config, out), rng.uniform(first, length)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        killed = not finished(child)
        step, clean = state_step(out), sorted(p.name for p in out.iterdir()) if out.is_dir() else []
        ended = finished(run(config, out))
        same = ended and bits(out) == expected
        found.append(
            {"moment": round(moment, 2), "killed": killed, "state of step": step, "there": clean, "same": same}
        )
        if same:
            shutil.rmtree(out)
    return found


def wait_for(path: Path, seconds: float = 60.0) -> float:
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.005)
    return time.monotonic()


def state_step(out: Path) -> int | None:
    path = out / "state.safetensors"
    if not path.exists():
        return None
    with safe_open(path, framework="np") as file:
        return int(json.loads(file.metadata()["state"])["step"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = kills(Path(folder), options.kills, options.seed)
    for one in found:
        print(json.dumps(one))
    steps = sorted(one["state of step"] for one in found if isinstance(one["state of step"], int))
    print(
        json.dumps(
            {
                "kills": len(found),
                "hit a running process": sum(bool(one["killed"]) for one in found),
                "ended bit-equal": sum(bool(one["same"]) for one in found),
                "states at": [steps[0], steps[-1]] if steps else [],
            }
        )
    )
    raise SystemExit(0 if all(one["same"] for one in found) else 1)


if __name__ == "__main__":
    main()

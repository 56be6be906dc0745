"""A library's module as tsprout runs it in another process, of a library that everybody has; and that can misbehave."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

PACKAGE = "numpy"


def fit(shots, settings, progress):
    print("a library that talks")
    print('{"kind": "done", "library": "a lie"}')
    trouble = settings["trouble"]
    if trouble == "raises":
        raise ValueError("the loss\nis not finite")
    if trouble == "lacks":
        import tsprout_has_never_heard_of_it  # noqa: F401
    if trouble == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if trouble == "leaves":
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(7)
    if trouble.startswith("hangs"):
        with open(trouble.removeprefix("hangs "), "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
        progress(1, 9)
        time.sleep(600)
    for epoch in range(settings["epochs"]):
        progress(epoch + 1, settings["epochs"])
        time.sleep(0.12)
    if trouble == "pickles":
        return {"mean": np.array([{"code": 1}], dtype=object)}
    mean = shots.mean(axis=0) + 0.01 * np.random.standard_normal(shots.shape[1:])  # noqa: NPY002
    return {"mean": mean.astype(np.float32), "threads": np.array(int(os.environ.get("OMP_NUM_THREADS", "0")))}


def sample(shots, state, settings, n):
    shape = (n, *shots.shape[1:])
    if settings["trouble"] == "short":
        return np.zeros(shape[:2])
    if settings["trouble"] == "nan":
        return np.full(shape, np.nan)
    return state["mean"] + np.random.standard_normal(shape)  # noqa: NPY002

"""Where jobs are done: processes of this machine, a Ray cluster, a SLURM queue. See docs/benchmark.md."""

from tsprout.bench.executors.base import Executor, Outcome
from tsprout.bench.executors.local import PRELOAD, LocalExecutor

__all__ = ["PRELOAD", "Executor", "LocalExecutor", "Outcome"]

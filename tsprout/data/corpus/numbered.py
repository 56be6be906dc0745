"""Endless streams whose item number ``i`` is a function of ``i`` and of nothing else.

So a stream has a position and no other state: it resumes exactly, gives the same items with any number of worker
processes, and is shared out over ranks by the numbers.
"""

from __future__ import annotations

import copy
import itertools
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Generic, Self, TypeVar

import numpy as np

from tsprout.data.corpus.store import Corpus
from tsprout.errors import InputError

Item = TypeVar("Item")
_ALIGNED = 64
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class NumberedStream(Generic[Item]):
    """An iterator over :meth:`batch` of ``rank``, ``rank + world``, ...; ``workers`` processes draw ahead, or none.

    A stream has :meth:`batch` and :meth:`identity`, and sets ``position`` to 0 and ``_drawn`` to ``None``.
    """

    workers: int
    rank: int
    world: int
    position: int
    _drawn: Iterator[Item] | None

    def batch(self, number: int) -> Item:
        """Item ``number``: the same one whenever and wherever it is asked for."""
        raise NotImplementedError

    def identity(self) -> str:
        """Of all that the items follow from."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """JSON-able position of the stream: how many batches all ranks together have had."""
        return {"position": self.position * self.world, "stream": self.identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`, also with another number of ranks that the position is a multiple of.

        Raises:
            InputError: the position is one of another corpus, configuration or seed.
        """
        if state.get("stream") != self.identity():
            raise InputError(
                "the run was trained on another corpus, or with other settings of the stream",
                fix="Continue with the same corpus and settings, or start anew from its weights.",
            )
        self.position, self._drawn = int(state["position"]) // self.world, None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_drawn": None}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        if self._drawn is None:
            self._drawn = self._source()
        found = next(self._drawn)
        self.position += 1
        return found

    def _source(self) -> Iterator[Item]:
        numbers = itertools.count(self.position * self.world + self.rank, self.world)
        if self.workers == 0:
            return map(self.batch, numbers)
        import torch
        from torch.utils.data import DataLoader

        # Of a copy: the stream is not held by its own workers, and they end when it does.
        loader: DataLoader[Item] = DataLoader(
            _Numbered(copy.copy(self)),  # type: ignore[arg-type]
            sampler=numbers,
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self.workers,
            prefetch_factor=4,
            worker_init_fn=_alone,
            generator=torch.Generator(),  # not the global one, from which it would take a number
        )
        return map(_unpacked, loader)


def chosen_sets(corpus: Corpus, only: Sequence[str] | None, exclude: Sequence[str]) -> list[str]:
    """Names, sorted: those in ``only``, or all that are not held out for validation; without those in ``exclude``.

    Raises:
        InputError: the corpus has no such set.
    """
    for name in (*(only or ()), *exclude):
        corpus.pieces(name)
    if only is not None:
        return sorted(set(only) - set(exclude))
    return sorted(e.name for e in corpus.sets if not e.held_out and e.name not in exclude)


class _Numbered(Generic[Item]):
    """A stream's items by number, as a map for torch's workers."""

    def __init__(self, stream: NumberedStream[Item]) -> None:
        self.stream = stream

    def __getitem__(self, number: int) -> Any:
        return _packed(self.stream.batch(number))


def _alone(worker: int) -> None:
    """One thread a worker: those of the linear algebra would wait for each other, spinning.

    A terminal and a cluster's scheduler send their signals to all processes of a job. The first process saves and
    leaves, which it could not do with its workers gone: they heed its signals and nobody else's.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        # Whoever started it, which the system knows as its parent only where it was forked.
        starter = multiprocessing.parent_process()
        parent = os.getppid() if starter is None else starter.pid
        threading.Thread(target=_heed, args=(parent,), daemon=True).start()


def _heed(parent: int | None) -> None:
    while signal.sigwaitinfo(_STOPPING).si_pid != parent:
        pass
    os._exit(0)


def _as_it_is(item: Any) -> Any:
    return item


def _packed(item: Any) -> Any:
    """What only shared memory can carry fast, in one piece of it: the arrays of a dataclass, or of a list of them.

    Arrays themselves would go through a pipe, and a piece each would be a file descriptor each.
    """
    import torch

    groups = item if isinstance(item, list) else [item]
    arrays = [[(f.name, np.ascontiguousarray(getattr(group, f.name))) for f in fields(group)] for group in groups]
    sizes = [-(-array.nbytes // _ALIGNED) * _ALIGNED for group in arrays for _, array in group]
    buffer = torch.empty(sum(sizes), dtype=torch.uint8).share_memory_()
    places = iter(np.cumsum([0, *sizes]).tolist())
    told = []
    for group, own in zip(groups, arrays, strict=True):
        where = {name: (next(places), array.dtype.str, array.shape) for name, array in own}
        for name, array in own:
            _view(buffer.numpy(), *where[name])[...] = array
        told.append((type(group), where))
    return buffer, told, isinstance(item, list)


def _unpacked(packed: Any) -> Any:
    buffer, told, several = packed
    flat = buffer.numpy()
    items = [kind(**{name: _view(flat, *place) for name, place in where.items()}) for kind, where in told]
    return items if several else items[0]


def _view(flat: np.ndarray, start: int, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    dtype = np.dtype(kind)
    return flat[start : start + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)

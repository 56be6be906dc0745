"""Gaps of series, filled by a fitted model: what is missing is drawn around what is there.

Every series is drawn several times around its observed cells (:mod:`tsprout.diffusion.conditioning`), shown the
shots; a gap gets the median of the draws, cell by cell. How cells vary together is taken from the shots
(:mod:`tsprout.covariance`), of all channels together, or of each by itself where series are long and wide.

Channels are scaled by their values, as moves across a gap are not known. What only goes up or down is put in order
afterwards, within its gap; what goes round is followed the short way. Series longer than the shots are filled window by
window (:mod:`tsprout.stitching`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tsprout.covariance import covariance
from tsprout.data.channel_scaling import ChannelScaling
from tsprout.data.circular import CircularScaling, short
from tsprout.data.cumulative import CumulativeScaling
from tsprout.data.frames import options_of
from tsprout.data.memory import require
from tsprout.data.original import Original
from tsprout.data.reading import Reading
from tsprout.data.relative import RelativeScaling, parents_first
from tsprout.data.scaling import Scaler
from tsprout.data.transforms import Curve
from tsprout.diffusion.conditioning import Spread, given
from tsprout.diffusion.samplers import Denoise
from tsprout.drawing import Source
from tsprout.errors import InputError, NotThereError, TsproutError
from tsprout.identity import label_groups
from tsprout.interface import not_fitted
from tsprout.limits import MAX_DRAWS, check_seed, check_whole
from tsprout.model_config import ModelConfig
from tsprout.nn.conditioning import Memory
from tsprout.progress import Progress
from tsprout.series import SeriesSet
from tsprout.stitching import pieces, stitched
from tsprout.train.drawing import Drawing, draw_latent, series_at_once
from tsprout.train.shots import Shots, is_shown, memory_of

_TOGETHER = 512  # cells of a series that are kriged in one: their cube is what a step costs
_COVARIANCE = 3e10  # about so many multiplications a covariance may cost: of so many series as that allows
_FEWEST, _MOST = 16, 256


def gaps(series: SeriesSet) -> np.ndarray:
    """Cells ``(n, channels, length)`` within a series' own length that hold no value."""
    return ~series.observed & series.within[:, None]


def checked(
    shots: SeriesSet | None,
    config: ModelConfig,
    data: Any,
    draws: int,
    seed: int,
    how: Drawing,
    reader: Reading,
) -> tuple[SeriesSet, Original | None]:
    """The series of ``data`` as a model can fill them, and what they were read from; the shots where there are no data.

    Raises:
        InputError: nothing has been fitted, or an argument or the data cannot be used.
    """
    if shots is None:
        raise not_fitted()
    check_seed(seed)
    how.check(config)
    if type(draws) is bool or not 1 <= check_whole(draws, "draws") <= MAX_DRAWS:
        raise InputError(f"{draws} draws", where="draws", fix=f"Give a whole number from 1 to {MAX_DRAWS}.")
    if data is None and reader:
        raise InputError(f"{next(iter(reader))!r} says how to read data, and none are given", fix="Give the data, too.")
    if reader.get("window") is not None or reader.get("stride") is not None:
        fix = "Leave window and stride out; series longer than those of the fit are cut, and put together again."
        raise InputError("windows are no series to fill", where="window", fix=fix)
    if data is None:
        return shots, None
    original = data if isinstance(data, Original) else _read(data, shots, reader)
    return _fillable(original.series, shots), original


def _read(data: Any, shots: SeriesSet, reader: Reading) -> Original:
    """Data as said; of a table, what is not said of its columns as ``shots`` were read, if these columns are there.

    Channels are named in any case: one without a value in these data is to be filled, and not left out.
    """
    schema, asked = shots.schema, dict(reader)
    if schema is not None and schema.by_column and not isinstance(data, SeriesSet | np.ndarray | list):
        return Original.read(data, options_of({"orientation": "columns", **asked}))
    if schema is not None and schema.long and not isinstance(data, SeriesSet):
        channels = {} if {"channels", "ignore"} & set(asked) else {"channels": shots.channels}
        roles = {"id_column": schema.id_column, "time_column": schema.time_column, "label_column": schema.label_column}
        named = {*roles, "static_columns"} & set(asked)
        for known in ([] if named else [{**roles, **channels}]) + [channels]:
            with suppress(NotThereError):
                return Original.read(data, options_of({**asked, **known}))
    return Original.read(data, options_of(asked))


def _fillable(series: SeriesSet, shots: SeriesSet) -> SeriesSet:
    """Series that a model fitted to ``shots`` can fill, their channels in its order."""
    if set(series.channels) != set(shots.channels) or len(series.channels) != len(shots.channels):
        has, wants = (", ".join(map(repr, each)) for each in (series.channels, shots.channels))
        raise InputError(f"the channels are {has}, and the model was fitted to {wants}", fix="Give the same channels.")
    if (series.labels is None) != (shots.labels is None):
        has, wants = ("have labels" if each.labels is not None else "have none" for each in (series, shots))
        fix = "Say which column holds the labels with label_column, or fit without."
        raise InputError(f"the series {has}, and those that the model was fitted to {wants}", where="labels", fix=fix)
    if series.labels is not None and shots.labels is not None:
        new = sorted({*map(str, series.labels)} - {*map(str, shots.labels)})
        if new:
            raise InputError(f"the label {new[0]!r} is none of those that the model was fitted to", fix="Fit with it.")
    order = [series.channels.index(name) for name in shots.channels]
    values, observed = series.values[:, order], series.observed[:, order]
    return replace(series, values=values, observed=observed, channels=tuple(shots.channels))


def all_draws(
    source: Source, series: SeriesSet, *, draws: int, how: Drawing, seed: int, progress: Progress | None = None
) -> np.ndarray:
    """``(draws, n, channels, length)`` float64: observed cells as they are, gaps drawn; see :func:`completions`."""
    out = np.repeat(series.values[None].astype(np.float64), draws, axis=0)
    empty = gaps(series)
    for i, drawn in completions(source, series, draws=draws, how=how, seed=seed, progress=progress):
        filled = out[:, i, :, : drawn.shape[-1]]
        filled[:] = np.where(empty[i, :, : drawn.shape[-1]], drawn, filled)
    for each in out:
        each[empty] = _settled(source.scaler, each, ~empty)[empty]
    return out


def fill(
    source: Source, series: SeriesSet, *, draws: int, how: Drawing, seed: int, progress: Progress | None = None
) -> SeriesSet:
    """The same series without gaps, each filled with the :func:`median` of ``draws`` draws.

    See :func:`completions` for the arguments.
    """
    values, empty = series.values.astype(np.float64), gaps(series)
    for i, drawn in completions(source, series, draws=draws, how=how, seed=seed, progress=progress):
        values[i, :, : drawn.shape[-1]] = median(drawn, periods(source.scaler))
    values = np.where(empty, _settled(source.scaler, values, ~empty), series.values)
    return replace(series, values=values.astype(np.float32), observed=series.observed | empty)


def periods(scaler: Scaler) -> np.ndarray:
    """Of each channel what it goes round in, 0 for those that do not: ``(channels, 1)``."""
    return np.array([[c.period if isinstance(c, CircularScaling) else 0.0] for c in scaler.channels])


def apart(values: np.ndarray, others: np.ndarray, period: np.ndarray) -> np.ndarray:
    """How far ``values`` ``(..., channels, length)`` are from ``others``; the short way in what goes round."""
    moves = values - others
    return np.where(period > 0, short(moves, np.where(period > 0, period, 1.0)), moves)


def median(drawn: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Of draws ``(draws, channels, length)``, cell by cell: one of them, of an even number the lower of the two in the
    middle. Of what goes round in a ``period`` it is that of the half turns about their mean direction."""
    angle = drawn * (2 * np.pi / np.where(period > 0, period, np.inf))
    mean = np.arctan2(np.sin(angle).sum(0), np.cos(angle).sum(0)) * period / (2 * np.pi)
    order = np.argsort(apart(drawn, mean, period), axis=0, kind="stable")
    return np.take_along_axis(drawn, order[(len(drawn) - 1) // 2][None], axis=0)[0]


def completions(
    source: Source, series: SeriesSet, *, draws: int, how: Drawing, seed: int, progress: Progress | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Every series that has gaps, drawn several times around what is observed of it.

    Args:
        source: a fitted model.
        series: with its channels; those longer than its shots are filled in windows of that length.
        draws: how many times.
        how: steps, solver, guidance.
        seed: the same seed, arguments and machine give the same bits.
        progress: told ``"impute"``, series done, series in all; of long ones windows.

    Yields:
        its position, and ``(draws, channels, length)`` float64 in units, with its own length.

    Raises:
        InputError: the model was trained on channels that it knows by their moves, or there is not the memory.
        TsproutError: the model draws what is not finite.
    """
    work = _Work(source, series, draws, how, seed, progress)
    for number, members in enumerate(work.groups):
        length = int(series.lengths[members[0]])
        if length <= work.longest:
            yield from work.whole(number, members, length)
            continue
        for i in members.tolist():
            yield i, work.long(i, length)


class _Work:
    """What :func:`completions` does: of whole series in batches, and of one long series after the other."""

    def __init__(
        self, source: Source, series: SeriesSet, draws: int, how: Drawing, seed: int, progress: Progress | None
    ) -> None:
        self.source, self.series, self.draws, self.seed, self.how = source, series, draws, seed, how
        self.scaler, self.longest = values_scaler(source), source.shots.length
        self.own = Shots.from_latent(self.scaler.latent(source.shots), source.shots.lengths, source.shots.labels)
        self.empty = gaps(series)
        wanting = np.flatnonzero(self.empty.any(axis=(1, 2)))
        lengths = series.lengths[wanting]
        self.groups = (
            [wanting[places] for places, _, _ in label_groups(series, wanting, lengths)] if len(wanting) else []
        )
        self.spreads = dict[int, Spread]()
        self.progress, self.done = progress, 0
        self.total = int((lengths <= self.longest).sum())
        for i in wanting[lengths > self.longest]:
            self.total += sum(map(len, pieces(self.empty[i, :, : series.lengths[i]], self.longest)))
        if self.total:
            self.tell(0)

    def tell(self, more: int) -> None:
        self.done += more
        if self.progress is not None:
            self.progress("impute", self.done, self.total)

    def whole(self, number: int, members: np.ndarray, length: int) -> Iterator[tuple[int, np.ndarray]]:
        """Series of one label and length; ``number`` is that of their group."""
        size = max(1, series_at_once(length) // self.draws)
        for start in range(0, len(members), size):
            some = members[start : start + size]
            rng = np.random.default_rng([self.seed, 3, number, start])
            rows = np.repeat(self.known(some, length), self.draws, axis=0)
            drawn = self.filled(rows, self.label(some), rng)
            yield from zip(some.tolist(), drawn.reshape(len(some), self.draws, *drawn.shape[1:]), strict=True)
            self.tell(len(some))

    def long(self, i: int, length: int) -> np.ndarray:
        """Of a series that is longer than the shots."""
        channels, window, at_once = self.series.n_channels, self.longest, series_at_once(self.longest)
        fix = "Ask for fewer draws, fill fewer channels at once, or cut it in two."
        where = f"series {self.series.ids[i]!s}"
        require(8 * self.draws * channels * length, None, where, what="filling it needs", fix=fix)
        one, rng = np.array([i]), np.random.default_rng([self.seed, 5, i])
        draw = partial(self.filled, label=self.label(one), rng=rng)
        empty = self.empty[i, :, :length]
        return stitched(self.known(one, length)[0], empty, window, self.draws, at_once, draw, self.tell)

    def known(self, members: np.ndarray, length: int) -> np.ndarray:
        """What is observed of some series, ``(n, channels, length)`` float64 in units, NaN elsewhere."""
        values = self.series.values[members, :, :length].astype(np.float64)
        values[~self.series.observed[members, :, :length]] = np.nan
        return values

    def label(self, members: np.ndarray) -> str | None:
        return None if self.series.labels is None else str(self.series.labels[members[0]])

    def filled(self, rows: np.ndarray, label: str | None, rng: np.random.Generator) -> np.ndarray:
        """Series ``(n, channels, length)`` float64 of one label, in units, with what is NaN drawn."""
        source, length = self.source, rows.shape[-1]
        if length not in self.spreads:
            self.spreads[length] = _spread(self.own, length)
        alike = self.own if label is None else self.own.alike(label)
        shown = is_shown(len(source.shots), source.trained)
        memory = memory_of(source.model, alike.part(rng), present=shown)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        told = None if label is None else np.full(len(rows), label, dtype=object)
        parts = torch.from_numpy(self.scaler.transform(rows, told)).split(series_at_once(length))
        drawn = [_drawn(source, part, self.spreads[length], generator, memory, self.how) for part in parts]
        out = self.scaler.inverse(np.concatenate(drawn), told)
        for j, channel in enumerate(self.scaler.channels):
            if isinstance(channel, CircularScaling) and channel.speed is not None:
                known = np.isfinite(rows[:, j]).any(axis=1, keepdims=True)
                out[:, j] = np.where(known, channel.carried(rows[:, j]), out[:, j])
        return out


def _drawn(
    source: Source, rows: Tensor, spread: Spread, generator: torch.Generator, memory: Memory | None, how: Drawing
) -> np.ndarray:
    """Scaled series ``(n, channels, length)`` around the cells of ``rows`` that are not NaN."""

    def around(denoise: Denoise) -> Denoise:
        return given(denoise, rows, rows.isfinite(), spread)

    shape = (len(rows), rows.shape[1], rows.shape[2])
    drawn = draw_latent(source.model, shape, generator, row=source.row, memory=memory, condition=around, how=how)
    if not np.isfinite(drawn).all():
        raise TsproutError("the model produced values that are not finite", fix="Fit again with another seed or mode.")
    return drawn


def _spread(shots: Shots, length: int) -> Spread:
    """Of the first ``length`` steps: of all cells together, or of one channel at a time where these are many."""
    values, seen = shots.values.numpy()[..., :length], shots.observed.numpy()[..., :length]
    channels = values.shape[1]
    cells = channels * length if channels * length <= _TOGETHER else length
    some = int(np.clip(_COVARIANCE / cells**3, _FEWEST, _MOST))
    if len(values) > some:  # as a mask of its own costs a solution of that size, and few series say enough
        chosen = np.linspace(0, len(values) - 1, some).astype(int)
        values, seen = values[chosen], seen[chosen]
    if channels * length <= _TOGETHER:
        return Spread(torch.from_numpy(covariance(values, seen)[None]))
    own = [covariance(values[:, j : j + 1], seen[:, j : j + 1]) for j in range(channels)]
    return Spread(torch.from_numpy(np.stack(own)))


def values_scaler(source: Source) -> Scaler:
    """The scaling of every channel by its values, what goes round followed: the source's own, unless that takes moves.

    Raises:
        InputError: the model was trained on differences.
    """
    if not (moves := by_moves(source.scaler)):
        return source.scaler
    if source.trained:
        what = f"the model was trained on differences in {', '.join(map(repr, moves))}, which gaps break"
        raise InputError(what, fix="Fit with mode='prompt', or with transforms={name: 'identity'} for these channels.")
    kept = [c for c in source.scaler.channels if isinstance(c, ChannelScaling) and isinstance(c.transform, Curve)]
    transforms = {c.channel: c.transform.label for c in kept}
    bounds = {c.channel: sides for c in source.scaler.channels if (sides := _sides(c)) != (None, None)}
    return Scaler.fit(source.shots, bounds=bounds, transforms=transforms, differences=False, around=True)


def by_moves(scaler: Scaler) -> list[str]:
    """Names of channels that are scaled by their moves, or by how far they are from others."""
    others = [channel for channel in scaler.channels if isinstance(channel, CumulativeScaling | RelativeScaling)]
    return [c.channel for c in others if not isinstance(c, CumulativeScaling) or c.moves is not None]


def _sides(channel: Any) -> tuple[float | None, float | None]:
    whole = channel if isinstance(channel, ChannelScaling) else channel.whole
    return whole.lower, whole.upper


def _settled(scaler: Scaler, values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Filled ``values`` ``(n, channels, length)`` in the order that channels keep to; those ``known`` are left."""
    out = values.copy()
    for i in parents_first(scaler.channels)[::-1]:
        if isinstance(channel := scaler.channels[i], RelativeScaling):
            for j in channel.others:
                below = ~known[:, j] & known[:, i]
                out[:, j] = np.where(below, np.fmin(out[:, j], out[:, i]), out[:, j])
    for i in parents_first(scaler.channels):
        channel = scaler.channels[i]
        if isinstance(channel, CumulativeScaling):
            up = channel.sign * out[:, i]
            floor = np.fmax.accumulate(np.where(known[:, i], up, -np.inf), axis=1)
            roof = np.fmin.accumulate(np.where(known[:, i], up, np.inf)[:, ::-1], axis=1)[:, ::-1]
            out[:, i] = channel.sign * np.fmax.accumulate(np.clip(up, floor, roof), axis=1)
        elif isinstance(channel, RelativeScaling):
            greatest = np.fmax.reduce(out[:, list(channel.others)], axis=1)
            out[:, i] = np.where(known[:, i], out[:, i], np.fmax(out[:, i], greatest))
    for group in scaler.together:
        group.settle(out, known)
    return out

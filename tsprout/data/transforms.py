r"""Monotone, invertible maps of one channel: mathematics only, :mod:`tsprout.data.transform_choice` estimates.

Every map turns values in the units of the input into a dimensionless :math:`u`, never decreasing, and back. Arrays are
``float64`` of any shape; NaN stays NaN.

* :class:`Curve`: :math:`y`, :math:`\operatorname{asinh} y` or :math:`\pm\ln(1 \pm y)` with
  :math:`y = (x - centre) / scale`. Beyond the range seen in the shots a curve goes on as a straight line, both ways,
  with its slope at the edge but no more than twice its mean slope in units per :math:`u`: values may exceed those seen,
  and a latent value of six standard deviations lands about one range away, not at :math:`e^6` times the maximum.
* :class:`Hurdle`: one value (most often zero) that takes up a large share of the cells gets a band of its own, and the
  rest is moved away from it by a gap.
* :class:`Levels`: a few distinct values, coded by their rank. :class:`Constant`: a single one, or none at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

CURVES = ("identity", "asinh", "log1p", "reflected_log1p")


@dataclass(frozen=True)
class Curve:
    """A smooth map, straight outside ``[low, high]``.

    Attributes:
        kind: one of :data:`CURVES`.
        centre: where the curve has its unit slope, in the units of the channel; a log curve is defined above it (a
            reflected one below it).
        scale: positive, in the units of the channel.
        low: smallest value seen in the shots.
        high: largest value seen in the shots.
    """

    name: ClassVar[str] = "curve"
    kind: str
    centre: float
    scale: float
    low: float
    high: float

    @property
    def label(self) -> str:
        """The name for people."""
        return self.kind

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Units of the channel to :math:`u`."""
        y = (x - self.centre) / self.scale
        if self.kind == "identity":
            return y
        inside = np.clip(y, *self._edges())
        beyond = y - inside
        u = self._bend(inside)
        if beyond.any():  # NaN counts as true; harmless
            below, above = self._edge_slopes()
            u += beyond * np.where(beyond < 0, below, above)
        return u

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """:math:`u` to units of the channel."""
        if self.kind == "identity":
            return u * self.scale + self.centre
        low, high = self._bend(np.array(self._edges()))
        inside = np.clip(u, low, high)
        beyond = u - inside
        y = self._unbend(inside)
        if beyond.any():
            below, above = self._edge_slopes()
            y += beyond / np.where(beyond < 0, below, above)
        return y * self.scale + self.centre

    def _edges(self) -> tuple[float, float]:
        return (self.low - self.centre) / self.scale, (self.high - self.centre) / self.scale

    def _bend(self, y: np.ndarray) -> np.ndarray:
        if self.kind == "asinh":
            return np.arcsinh(y)
        return np.log1p(y) if self.kind == "log1p" else -np.log1p(-y)

    def _unbend(self, u: np.ndarray) -> np.ndarray:
        if self.kind == "asinh":
            return np.sinh(u)
        return np.expm1(u) if self.kind == "log1p" else -np.expm1(-u)

    def _edge_slopes(self) -> tuple[float, float]:
        """Slopes of :math:`u` over :math:`y` below and above the range seen."""
        low, high = self._edges()
        if self.kind == "asinh":
            below, above = 1 / math.hypot(1, low), 1 / math.hypot(1, high)
        elif self.kind == "log1p":
            below, above = 1 / (1 + low), 1 / (1 + high)
        else:
            below, above = 1 / (1 - low), 1 / (1 - high)
        ends = self._bend(np.array([low, high]))
        least = float(ends[1] - ends[0]) / (high - low) / 2 if high > low else 0.0
        return max(below, least), max(above, least)


@dataclass(frozen=True)
class Hurdle:
    r"""A spike at ``atom``, and a curve for how far the other values are from it.

    With :math:`d = |x - atom|`, :math:`v = (curve(d) - curve(d_{min})) / spread` and :math:`d_{min}` the smallest
    distance seen, :math:`u = 0` at the atom and :math:`\pm(gap + v)` elsewhere. Back, everything within half a gap of 0
    is exactly the atom; distances below :math:`d_{min}` (never seen, but possible in other data) share the other half.

    Attributes:
        atom: the value with a band of its own, in the units of the channel.
        gap: distance in :math:`u` between the atom and its nearest neighbour seen; the rest has unit spread.
        spread: standard deviation of ``curve(d)`` over the cells that are not at the atom.
        curve: the curve for the distance.
    """

    name: ClassVar[str] = "hurdle"
    atom: float
    gap: float
    spread: float
    curve: Curve

    @property
    def label(self) -> str:
        """The name for people."""
        return "hurdle" if self.curve.kind == "identity" else f"hurdle+{self.curve.kind}"

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Units of the channel to :math:`u`."""
        offset = x - self.atom
        distance = np.abs(offset)
        half = self.gap / 2
        far = self.gap + (self.curve.forward(distance) - self._nearest()) / self.spread
        near = half + half * distance / self.curve.low
        size = np.where(distance < self.curve.low, near, far)
        return np.where(offset == 0, 0.0, np.copysign(size, offset))

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """:math:`u` to units of the channel."""
        half = self.gap / 2
        size = np.abs(u)
        far = self.curve.inverse((size - self.gap) * self.spread + self._nearest())
        near = (size - half) / half * self.curve.low
        distance = np.where(size < self.gap, near, far)
        return np.where(size <= half, self.atom, self.atom + np.copysign(distance, u))

    def _nearest(self) -> float:
        return float(self.curve.forward(np.array([self.curve.low]))[0])


@dataclass(frozen=True)
class Levels:
    """A few distinct values, ascending, coded 0, 1, 2... and snapped to the nearest on the way back.

    The model sees the rank and not the value: levels then stay equally easy to tell apart, however uneven they are.
    """

    name: ClassVar[str] = "levels"
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """The name for people."""
        return "binary" if len(self.values) == 2 else "levels"

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Units of the channel to rank; values between two levels lie between, values outside go to the nearest."""
        return np.interp(x, self.values, np.arange(len(self.values)))

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """Rank to units of the channel."""
        missing = np.isnan(u)
        rank = np.clip(np.floor(np.where(missing, 0.0, u) + 0.5), 0, len(self.values) - 1)
        return np.where(missing, np.nan, np.array(self.values)[rank.astype(np.intp)])


@dataclass(frozen=True)
class Constant:
    """A channel with a single value (``None``: nothing was observed, and nothing comes back but NaN)."""

    name: ClassVar[str] = "constant"
    value: float | None

    @property
    def label(self) -> str:
        """The name for people."""
        return "empty" if self.value is None else "constant"

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Everything to 0."""
        return np.where(np.isnan(x), np.nan, 0.0)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """Everything to the constant."""
        return np.where(np.isnan(u), np.nan, np.nan if self.value is None else self.value)


Transform = Curve | Hurdle | Levels | Constant


def transform_to_dict(transform: Transform) -> dict[str, Any]:
    """A transform as JSON-able plain values; floats keep every bit."""
    out: dict[str, Any] = {"name": transform.name, **asdict(transform)}
    if isinstance(transform, Levels):
        out["values"] = list(transform.values)
    return out


def transform_from_dict(data: Mapping[str, Any]) -> Transform:
    """The transform that :func:`transform_to_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: ``data`` is not one; the caller says so in its own words.
    """
    name = data["name"]
    if name == "curve":
        return _curve_from_dict(data)
    if name == "hurdle":
        curve = _curve_from_dict(data["curve"])
        gap, spread = number(data["gap"]), number(data["spread"])
        if min(gap, spread, curve.low) <= 0:
            raise ValueError("gap, spread and smallest distance of a hurdle must be positive")
        return Hurdle(number(data["atom"]), gap, spread, curve)
    if name == "levels":
        values = tuple(number(value) for value in data["values"])
        if len(values) < 2 or list(values) != sorted(set(values)):
            raise ValueError("levels must be two or more, ascending")
        return Levels(values)
    if name == "constant":
        return Constant(None if data["value"] is None else number(data["value"]))
    raise ValueError(f"unknown transform {name!r}")


def _curve_from_dict(data: Mapping[str, Any]) -> Curve:
    if data["kind"] not in CURVES:
        raise ValueError(f"unknown curve {data['kind']!r}")
    curve = Curve(data["kind"], *(number(data[key]) for key in ("centre", "scale", "low", "high")))
    if curve.scale <= 0 or curve.low > curve.high:
        raise ValueError("a curve needs a positive scale and low <= high")
    low, high = curve._edges()
    if (curve.kind == "log1p" and low <= -1) or (curve.kind == "reflected_log1p" and high >= 1):
        raise ValueError("a log curve is not defined over its whole range")
    return curve


def number(value: Any) -> float:
    """A finite float, or ``ValueError``/``TypeError``; strings and booleans are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"not a number: {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"not finite: {value!r}")
    return float(value)

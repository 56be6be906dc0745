"""Public sets that are a recipe and not a file: made on this machine, from the seed of their recipe.

``sine``
    J. Yoon, D. Jarrett, M. van der Schaar, "Time-series Generative Adversarial Networks", NeurIPS 2019: a series of
    :math:`C` channels is :math:`x_c(t) = (\\sin(f_c t + p_c) + 1) / 2` with :math:`f_c, p_c \\sim U(0, 0.1)`, drawn
    in this order for channel after channel, and :math:`t` counts steps. It costs nothing, so it is made where needed.
``mujoco``
    Y. Rubanova, R. Chen, D. Duvenaud, "Latent ODEs for irregularly-sampled time series", NeurIPS 2019: the hopper of
    dm_control's suite, thrown from a random state, without control; positions and speeds before each physics step.

Arrays are those of :mod:`tsprout.data.catalog.sets`: ``train_X (n, length, channels)``, float32. A longer set continues
the series of a shorter one. Random numbers come from ``RandomState``, whose stream numpy promises never to change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Entry
from tsprout.errors import InputError, MissingExtraError

# Pi as a sum: the first part has its last 26 bits zero, so that small whole multiples of it are exact (Cody and Waite).
_PI = (float.fromhex("0x1.921fb54000000p+1"), float.fromhex("0x1.10b4611a62633p-29"))
_TERMS = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(12))


def sine(n: int = 10_000, length: int = 24, channels: int = 6, *, seed: int = 0) -> dict[str, np.ndarray]:
    """The sines of TimeGAN, ``train_X (n, length, channels)`` between 0 and 1; the same bits on every machine."""
    drawn = 0.1 * np.random.RandomState(seed).random_sample((n, channels, 2))
    frequency, phase = drawn[:, None, :, 0], drawn[:, None, :, 1]
    waves = portable_sine(frequency * np.arange(length, dtype=np.float64)[:, None] + phase)
    return {"train_X": ((waves + 1) * 0.5).astype(np.float32)}


def portable_sine(x: np.ndarray) -> np.ndarray:
    """The sine of ``x`` (float64, radians, up to about a million) to within 5e-16.

    ``numpy.sin`` rounds differently from machine to machine; additions and products do not.
    """
    turns = np.rint(x / math.pi)
    x = (x - turns * _PI[0]) - turns * _PI[1]
    square = x * x
    out = np.full_like(x, _TERMS[-1])
    for term in reversed(_TERMS[:-1]):
        out = out * square
        out = out + term
    return np.where(turns % 2 == 1, -1.0, 1.0) * (out * x)


def mujoco(
    n: int = 4620, length: int = 48, channels: int = 14, *, seed: int = 123, physics: Any = None
) -> dict[str, np.ndarray]:
    """The thrown hopper, ``train_X (n, length, 14)``: seven positions, then seven speeds.

    Another version of MuJoCo gives slightly other values, which grow with the steps.

    Args:
        n: trajectories.
        length: physics steps of each.
        channels: 14; the hopper has no other number.
        seed: of the states they start from.
        physics: what to simulate with; dm_control's own where not given.

    Raises:
        MissingExtraError: dm_control is not installed.
    """
    physics = _hopper() if physics is None else physics
    if channels != physics.data.qpos.size + physics.data.qvel.size:
        raise InputError(f"{channels} channels are expected of MuJoCo's hopper, which has 7 positions and 7 speeds")
    random = np.random.RandomState(seed)
    position, speed = physics.data.qpos, physics.data.qvel
    out = np.empty((n, length, channels), np.float32)
    for trajectory in out:
        with physics.reset_context():
            position[:2] = random.uniform(0, 0.5, size=2)
            position[2:] = random.uniform(-2, 2, size=position.size - 2)
            speed[:] = random.uniform(-5, 5, size=speed.size)
        for state in trajectory:
            state[: position.size], state[position.size :] = position, speed
            physics.step()
    return {"train_X": out}


def _hopper() -> Any:
    try:
        suite = import_module("dm_control.suite")
    except ImportError:
        raise MissingExtraError(
            "the set MuJoCo is simulated, and dm_control is not installed", fix="pip install 'tsprout[mujoco]'"
        ) from None
    return suite.load("hopper", "stand").physics


Generator = Callable[..., dict[str, np.ndarray]]
GENERATORS: MappingProxyType[str, Generator] = MappingProxyType({"sine": sine, "mujoco": mujoco})
FREE = frozenset({"sine"})  # made in a moment, by numpy alone


def is_free(entry: Entry) -> bool:
    """Whether a set is made where it is needed, and need not be pulled."""
    return entry.source.generator in FREE


def generate(entry: Entry, *, length: int | None = None) -> dict[str, np.ndarray]:
    """The arrays of a generated set, in the catalogue's size.

    Args:
        entry: one with a ``generator``.
        length: steps of every series where they shall be others than the catalogue's.

    Raises:
        InputError: there is no generator of that name, or the size is not one of instances.
        MissingExtraError: it needs an extra that is not installed.
    """
    name, size = entry.source.generator, entry.size
    if name not in GENERATORS:
        raise InputError(
            f"there is no generator {name!r}", where=f"[{entry.name}.source]", fix=f"Known: {', '.join(GENERATORS)}."
        )
    steps = size.length if length is None else length
    if size.train is None or steps is None or steps < 1:
        raise InputError("a generated set needs train and length", where=f"[{entry.name}]", fix="Give both.")
    arrays = GENERATORS[name](size.train, steps, size.channels)
    if entry.channel_names:
        arrays["channels"] = np.array(entry.channel_names)
    return arrays

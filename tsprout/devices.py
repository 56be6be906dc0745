"""Devices by the names that torch gives them: one that is not here is refused before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsprout.errors import InputError

if TYPE_CHECKING:
    import torch


def is_here(name: str) -> bool:
    """Whether this machine has a device, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``xpu``; none is touched for it."""
    import torch

    kind, colon, number = name.partition(":")
    if colon and not number.isdecimal():
        return False
    counts = {
        "cpu": lambda: 1,
        "cuda": torch.cuda.device_count,
        "mps": lambda: int(torch.backends.mps.is_available()),
        "xpu": torch.xpu.device_count,
    }
    return kind in counts and int(number or 0) < counts[kind]()


def device_of(name: str, *, where: str = "device") -> torch.device:
    """The device called ``name``; ``where`` it was asked for.

    Raises:
        InputError: this machine has none of that name.
    """
    import torch

    if not is_here(name):
        fix = "Choose another, such as cpu, or a machine that has it."
        raise InputError(f"this machine has no device {name} that torch can use", where=where, fix=fix)
    return torch.device(name)

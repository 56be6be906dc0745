"""Devices by the names that torch gives them: one that is not here is refused before any work. Torch's own generators,
seeded for a while."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import TYPE_CHECKING

from tsprout.errors import InputError

if TYPE_CHECKING:
    import torch

_ONE_THREAD = RLock()
_NAME = re.compile(r"(cpu|cuda|mps|xpu)(?::(0|[1-9][0-9]{0,3}))?")


def devices_here() -> list[str]:
    """Names of the devices of this machine that torch can use, the processor first; nothing is put on them for it."""
    import torch

    found = ["cpu"]
    for kind, backend in (("cuda", torch.cuda), ("xpu", torch.xpu)):
        # Devices are counted even where the driver is too old to use them.
        found += [f"{kind}:{number}" for number in range(backend.device_count() if backend.is_available() else 0)]
    return found + (["mps:0"] if torch.backends.mps.is_available() else [])


def is_name(name: object) -> bool:
    """Whether this is the name of a device, here or elsewhere."""
    return _NAME.fullmatch(str(name)) is not None


def is_here(name: object) -> bool:
    """Whether this machine has a device, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``xpu``."""
    known = _NAME.fullmatch(str(name))
    if known is None:
        return False
    kind, number = known[1], known[2] or "0"
    return number == "0" if kind == "cpu" else f"{kind}:{number}" in devices_here()


def device_of(name: str | torch.device, *, where: str = "device") -> torch.device:
    """The device called ``name``; ``where`` it was asked for.

    Raises:
        InputError: this machine has none of that name.
    """
    import torch

    if not is_here(name):
        fix = f"Choose from {', '.join(devices_here())}, or use a machine that has it."
        raise InputError(f"this machine has no device {str(name)!r} that torch can use", where=where, fix=fix)
    return torch.device(name)


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Torch's generators, of the processor and of ``device``, start from ``seed`` inside, and are as before afterwards.

    No other one is touched, and a GPU is the current one. They are everybody's: another thread waits.
    """
    import torch

    device = torch.device(device)
    cuda = device.type == "cuda"
    with (
        _ONE_THREAD,
        torch.cuda.device(device) if cuda else nullcontext(),
        torch.random.fork_rng(devices=[device] if cuda else []),
    ):
        # torch.manual_seed would start those of all GPUs anew, whatever is at work there.
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed(seed)
        elif device.type != "cpu":
            getattr(torch, device.type).manual_seed(seed)
        yield

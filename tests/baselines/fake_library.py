"""The baseline to :mod:`baselines.fake_module`, and how to have it registered."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import ClassVar

import pytest

from tsprout.baselines import registry
from tsprout.baselines._library import LibraryBaseline


@dataclass(eq=False, kw_only=True)
class FakePeer(LibraryBaseline):
    """The mean series with noise; ``trouble``: see the module."""

    name: ClassVar[str] = "fake-peer"
    summary: ClassVar[str] = "The mean series with noise, by a library"
    source: ClassVar[str] = "nobody, 2020"
    library: ClassVar[str] = "numpy"
    package: ClassVar[str] = "numpy"
    licence: ClassVar[str] = "BSD"
    module: ClassVar[Path] = Path(__file__).with_name("fake_module.py")
    box: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    epochs: int = 1
    trouble: str = ""


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a package had added it."""
    points = [*entry_points(group=registry.GROUP), EntryPoint("fake-peer", f"{__name__}:FakePeer", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])

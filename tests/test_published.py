"""The published model as a baseline: fine-tuned as published, whatever ablation the checkpoint is."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from small_baselines import set_of, tiny_checkpoint, waves
from tiny_models import PADDED, woken

from tsprout.baselines import get, load, registry
from tsprout.checkpoint import Checkpoint, save
from tsprout.errors import InputError
from tsprout.published import ImagenFew

SERIES = set_of(10 + 3 * waves(5))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by the entry point of the installed package, whatever version of it is installed."""
    point = EntryPoint("imagenfew", "tsprout.published:ImagenFew", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])


def test_it_is_registered_above_the_others() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert 'imagenfew = "tsprout.published:ImagenFew"' in text
    assert get("imagenfew") is ImagenFew


def test_it_needs_a_checkpoint() -> None:
    with pytest.raises(InputError, match="pre-trained"):
        ImagenFew().fit(SERIES, seed=0)


@pytest.mark.parametrize(
    "change", [{}, {"rows": 0}, {"channel_mixing": "padded"}], ids=["paper", "no token", "padding"]
)
def test_every_ablation_draws_and_comes_back(change: dict[str, object], tmp_path: Path) -> None:
    save(Checkpoint(woken(replace(PADDED, **change))), tmp_path / "model")  # type: ignore[arg-type]
    fitted = ImagenFew(checkpoint=str(tmp_path / "model"), steps=3).fit(SERIES, seed=1)
    made = fitted.sample(4, seed=2)
    assert made.values.shape == (4, 2, 12) and np.isfinite(made.values).all()
    fitted.save(tmp_path / "fitted")
    assert load(tmp_path / "fitted").sample(4, seed=2).equals(made)
    again = ImagenFew(checkpoint=str(tmp_path / "model"), steps=3).fit(SERIES, seed=1)
    assert again.sample(4, seed=2).equals(made)


def test_settings_reach_the_fine_tuning() -> None:
    """Its settings reach the function that it calls, step by step."""
    told: list[int] = []
    few = ImagenFew(checkpoint=tiny_checkpoint(), steps=4).fit(
        SERIES, seed=0, progress=lambda _, at, __: told.append(at)
    )
    assert told == [1, 2, 3, 4]
    untrained = ImagenFew(checkpoint=tiny_checkpoint(), steps=1).fit(SERIES, seed=0)
    assert not few.sample(3, seed=0).equals(untrained.sample(3, seed=0))

"""Budgets as people write them, and the steps they buy."""

from __future__ import annotations

import pytest

from tsprout.budget import MIN_BUDGET, affordable_steps, budget_for, parse_budget
from tsprout.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("2m", 120), ("1.5h", 5400), ("45", 45), (60, 60), (7.5, 7.5), (" 10 SEC ", 10), ("2 min", 120)]
    + [(".5m", 30), ("5.s", 5), ("2d", 172_800)],
)
def test_budgets(text: str | float, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "s", "-5s", "1w", "1m30s", "nan", "inf", float("nan"), None, "5 s s"])
def test_what_cannot_be_read_is_refused(text) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        parse_budget(text)
    assert "30s" in str(caught.value)


@pytest.mark.parametrize("text", ["0s", 0, "4.9s", "0.01m"])
def test_what_is_too_small_is_refused(text: str | float) -> None:
    with pytest.raises(InputError, match="too small") as caught:
        parse_budget(text)
    assert f"{MIN_BUDGET:g}s" in str(caught.value)


def test_steps() -> None:
    few, more = affordable_steps(10, 1e9, 10_000), affordable_steps(100, 1e9, 10_000)
    assert few == 100 and more == 1000
    assert affordable_steps(1e9, 1e9, 300) == 300
    assert affordable_steps(5, 1e15, 300) == 1
    assert affordable_steps(parse_budget("9" * 400), 1e9, 300) == 300


@pytest.mark.parametrize("steps", [1, 30, 297, 298, 5_000, 20_000, 1_000_000])
def test_what_buys_so_many_steps(steps: int) -> None:
    enough = budget_for(steps, 1e9)
    assert affordable_steps(parse_budget(enough), 1e9, steps) == steps
    assert enough == budget_for(1, 1e9) or affordable_steps(0.5 * parse_budget(enough), 1e9, steps) < steps

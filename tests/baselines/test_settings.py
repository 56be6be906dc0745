"""Hyper-parameters that cannot be used are refused in words, by name, whatever the method."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest

from tsprout.baselines import get, names
from tsprout.baselines.hyperparameters import numbers, sizes, whole_numbers
from tsprout.errors import InputError

ANY = {"fourier"}  # negative for its default
LISTS = ("filters", "multipliers", "attention", "seasons")
OPTIONAL = {"block": 4, "period": 6}
CASES = [
    (name, f.name, f.default)
    for name in names()
    for f in fields(get(name))
    if f.init and (f.name in (*LISTS, *OPTIONAL) or (isinstance(f.default, int | float) and f.default is not False))
    if not isinstance(f.default, bool)
]


@pytest.mark.parametrize(("name", "setting", "default"), CASES, ids=[f"{a}-{b}" for a, b, _ in CASES])
def test_each_is_checked(name: str, setting: str, default: object) -> None:
    kind = get(name)
    if setting in LISTS:
        bad: list[object] = [3, "3", [0], [1.5], ["a"], None]
    elif isinstance(default, float):
        bad = ["1e-3", math.nan, math.inf, True, None] + ([] if setting in ANY else [-0.5])
    else:
        bad = ["3", math.nan, -1, 1.5, True, [3]] + ([] if setting in OPTIONAL else [None])
    for value in bad:
        with pytest.raises(InputError, match=setting) as caught:
            kind(**{setting: value})
        assert caught.value.where == setting and caught.value.fix
    given = OPTIONAL.get(setting, default)
    kind(**{setting: list(given) if isinstance(given, tuple) else given})


def test_bounds() -> None:
    whole_numbers(a=1, b=10**6)
    whole_numbers(a=0, least=0)
    numbers(a=0, b=0.0, c=7)
    numbers(a=1.0, most=1.0)
    numbers(a=-3.0, least=-math.inf)
    assert sizes("a", [1, 2]) == (1, 2) and sizes("a", (), some=False) == ()
    for call, words in (
        (lambda: whole_numbers(a=1, b=0), "b is 0.*whole number, 1 or more"),
        (lambda: whole_numbers(a=-1, least=0), "0 or more"),
        (lambda: numbers(a=0.0, above=True), "above 0"),
        (lambda: numbers(a=1.0, most=1.0, below=True), "0 or more and below 1"),
        (lambda: numbers(a=1.1, most=1.0, above=True), "above 0 and at most 1"),
        (lambda: numbers(a=math.inf, least=-math.inf), "not infinite"),
        (lambda: sizes("a", []), "list of whole numbers"),
    ):
        with pytest.raises(InputError, match=f"(?s){words}"):
            call()


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("pca-kde", "share", 2.0),
        ("pca-kde", "share", 0.0),
        ("mixup", "alpha", 0.0),
        ("block-bootstrap", "block", 0),
        ("seasonal-bootstrap", "period", 1),
        ("var", "most_lags", 0),
        ("imagentime", "average", 2.0),
        ("timevae", "reconstruction", 0.0),
        ("diffusion-ts", "average", 1.0),
    ],
)
def test_what_would_end_in_a_traceback_or_nonsense(name: str, setting: str, value: float) -> None:
    with pytest.raises(InputError, match=setting):
        get(name)(**{setting: value})

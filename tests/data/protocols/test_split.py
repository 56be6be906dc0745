from __future__ import annotations

import numpy as np
import pytest
from real_sets import ramp, recordings

from tsprout.data.protocols import PROTOCOLS, SEEDS, SHARES, SHOTS, parse_shots, protocol, strict
from tsprout.data.protocols.split import check_shots, count_shots
from tsprout.errors import InputError


@pytest.mark.parametrize(("text", "shots"), [("10", 10), (" 1 ", 1), ("5%", 0.05), ("100 %", 1.0), ("2.5%", 0.025)])
def test_parse_shots(text: str, shots: float) -> None:
    found = parse_shots(text)
    assert found == pytest.approx(shots) and type(found) is type(shots)


@pytest.mark.parametrize("text", ["", "ten", "0.05", "1.0", "0", "-3", "0%", "101%", "%", "nan%", "inf%"])
def test_parse_shots_refuses(text: str) -> None:
    with pytest.raises(InputError):
        parse_shots(text)


@pytest.mark.parametrize("shots", [0, -1, True, 1.5, 0.0, float("nan"), "10", None])
def test_check_shots_refuses(shots: object) -> None:
    with pytest.raises(InputError, match="share"):
        check_shots(shots)  # type: ignore[arg-type]


def test_counts() -> None:
    assert [count_shots(s, 100) for s in (7, 0.05, 0.29, 1.0, 0.001)] == [7, 5, 29, 100, 1]
    assert count_shots(check_shots(np.int64(3)), 2) == 3
    assert count_shots(0.15, 39) == 5


def test_names_and_constants() -> None:
    assert set(PROTOCOLS) == {"strict", "paper"} and protocol("strict") is strict
    assert SEEDS == (0, 1, 2, 3, 4) and SHOTS == (5, 10, 25, 50, 100) and SHARES == (0.05, 0.1, 0.15, 1.0)
    with pytest.raises(InputError, match="strict, paper"):
        protocol("loose")


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_bad_numbers(name: str) -> None:
    made = recordings(ramp(500))
    for bad in ({"length": 1}, {"seed": -1}, {"shots": 0}):
        with pytest.raises(InputError):
            protocol(name)(made, **({"shots": 2} | bad))
    assert "2 shots" in repr(protocol(name)(made, shots=2))

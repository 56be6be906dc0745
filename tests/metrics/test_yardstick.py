"""The yardstick: floor, copies and noise beside every score, measured once and kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.metrics.evaluate import evaluate
from tsprout.metrics.registry import QUICK
from tsprout.metrics.yardstick import BESIDE, Yardstick


def walks(n: int, seed: int, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, channels, 12)).cumsum(-1) + rng.standard_normal((n, channels, 1))


REAL, SHOTS = walks(160, 0), walks(8, 1)


def test_another_sample_is_near_the_floor_and_copies_score_as_copies() -> None:
    ruler = Yardstick(REAL, SHOTS, size=80)
    beside = ruler.beside()
    fresh, copies = ruler.score(walks(200, 2)), ruler.score(np.tile(SHOTS, (10, 1, 1)))
    noise = ruler.score(np.random.default_rng(3).standard_normal(REAL.shape) * REAL.std())
    for name in ("frechet", "marginal"):
        assert fresh[name] < (beside["floor"][name] + beside["copies"][name]) / 2
        assert copies[name] == pytest.approx(beside["copies"][name], rel=0.35)
    assert noise["frechet"] == pytest.approx(beside["noise"]["frechet"], rel=0.35)
    assert copies["copying"] == pytest.approx(0, abs=1e-6) and copies["near_copies"] == 1
    assert 0.8 < fresh["copying"] < 1.25
    assert beside["noise"]["copying"] > 0.8
    assert beside["copies"]["copying"] == 0 and beside["floor"]["copying"] == 1


def test_it_agrees_with_the_evaluation() -> None:
    made = walks(200, 2) * 1.3
    ruler = Yardstick(REAL, SHOTS, size=80, splits=6).score(made)
    known = {s.name: s.value.mean for s in evaluate(REAL, made, shots=SHOTS, max_series=80).scores}
    for name in (*(metric.name for metric in QUICK), "copying"):
        assert ruler[name] == pytest.approx(known[name], rel=0.25, abs=0.06), name


def test_the_same_bits_again_and_others_with_another_seed() -> None:
    one, same, other = (Yardstick(REAL, SHOTS, size=40, seed=seed) for seed in (0, 0, 1))
    made = walks(90, 4)
    assert one.score(made) == same.score(made)
    assert one.score(made)["frechet"] != other.score(made)["frechet"]


def test_gaps_do_not_give_series_away() -> None:
    holes = np.random.default_rng(5).random(REAL.shape) < 0.1
    ruler = Yardstick(np.where(holes, np.nan, REAL), np.where(holes[:8], np.nan, SHOTS), size=80)
    whole = Yardstick(REAL, SHOTS, size=80)
    made = walks(200, 2)
    assert ruler.score(made)["discriminative"] < whole.score(made)["discriminative"] + 0.1
    assert all(np.isfinite(list(ruler.beside()[kind].values())).all() for kind in ("floor", "copies"))


def test_the_paper_scores_tell_noise_from_real() -> None:
    options = {"size": 80, "which": ("cfid", "disc", "disc_capable"), "repeats": 1, "iterations": 12}
    ruler = Yardstick(REAL, SHOTS, **options)
    beside, fresh = ruler.beside("paper"), ruler.score(walks(100, 2), "paper")
    assert set(fresh) == {"cfid", "disc", "disc_capable", "copying", "near_copies"}
    assert beside["floor"]["cfid"] < beside["noise"]["cfid"]
    assert fresh["cfid"] < beside["noise"]["cfid"]
    assert fresh == Yardstick(REAL, SHOTS, **options).score(walks(100, 2), "paper")


def test_what_is_kept_on_disk_is_used_and_belongs_to_its_data(tmp_path: Path) -> None:
    first = Yardstick(REAL, SHOTS, size=40, cache=tmp_path)
    beside = first.beside()
    (kept,) = tmp_path.iterdir()
    assert Yardstick(REAL, SHOTS, size=40, cache=tmp_path).beside() == beside
    values = json.loads(kept.read_text())
    values["floor"]["frechet"] = 123.0
    kept.write_text(json.dumps(values))
    assert Yardstick(REAL, SHOTS, size=40, cache=tmp_path).beside()["floor"]["frechet"] == 123.0
    for other in (Yardstick(REAL, SHOTS + 1, size=40, cache=tmp_path), Yardstick(REAL, SHOTS, size=50, cache=tmp_path)):
        assert other.beside()["floor"]["frechet"] < 1
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("damage", ["", "[1, 2]", '{"floor": {}}', '{"floor": 1, "copies": 2, "noise": 3}'])
def test_a_damaged_file_is_measured_anew(tmp_path: Path, damage: str) -> None:
    beside = Yardstick(REAL, SHOTS, size=40, cache=tmp_path).beside()
    (kept,) = tmp_path.iterdir()
    kept.write_text(damage)
    assert Yardstick(REAL, SHOTS, size=40, cache=tmp_path).beside() == beside
    assert set(json.loads(kept.read_text())) == set(BESIDE)


def test_shots_among_the_real_series_are_left_out() -> None:
    ruler = Yardstick(np.concatenate([SHOTS, REAL]), SHOTS, size=40)
    assert len(ruler.real) == len(REAL)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"size": 1}, "two series"), ({"splits": 0}, "one split"), ({"seed": -1}, "seed"), ({"repeats": 0}, "repeat")],
)
def test_impossible_numbers_are_refused(options: dict[str, int], word: str) -> None:
    with pytest.raises(InputError, match=word):
        Yardstick(REAL, SHOTS, **options)


def test_what_does_not_fit_is_refused() -> None:
    ruler = Yardstick(REAL, SHOTS, size=40)
    with pytest.raises(InputError, match="at least 40"):
        ruler.score(walks(39, 2))
    with pytest.raises(InputError, match=r"39 synthetic series of \d+ steps are too few"):
        ruler.score(walks(39, 2))
    with pytest.raises(InputError, match="of 12"):
        ruler.score(walks(50, 2)[..., :10])
    with pytest.raises(InputError, match="channels"):
        ruler.score(walks(50, 2, channels=3))
    for ask in (ruler.beside, lambda suite: ruler.score(walks(50, 2), suite)):
        with pytest.raises(InputError, match="no suite"):
            ask("best")
    with pytest.raises(InputError, match="too few"):
        Yardstick(REAL[:3], SHOTS)


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        Yardstick(REAL, SHOTS, size=40, cache=tmp_path / "file").beside()

"""Which model a fit keeps, and what it says about it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import PADDED, TRANSFORMER, UNET, same_weights, snapshot, waves, woken

from tsprout import fitting
from tsprout.errors import InputError, TrainingError
from tsprout.fitting import MODES, FitReport, Fitted, fit_model, step_cost
from tsprout.model import Denoiser
from tsprout.train import judge as judge_module
from tsprout.train.finetune import FinetuneConfig
from tsprout.train.judge import Judgement
from tsprout.train.shots import Shots

QUICK = FinetuneConfig(steps=4, batch=8, episodes=2, evaluate_every=2, warmup=1, blind_steps=2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that looks at few samples."""
    monkeypatch.setattr("tsprout.train.judge._SAMPLES", 16)
    monkeypatch.setattr("tsprout.train.judge._MOST_STEPS", 2)
    monkeypatch.setattr("tsprout.train.calibration._SAMPLES", 16)


def fit(model: Denoiser, mode: str, *, n: int = 8, seed: int = 0, length: int = 16, **rest) -> Fitted:
    rest = {"seconds": 60.0, "config": QUICK} | rest
    return fit_model(model, waves(n, 2, length), np.full(n, length), mode, seed=seed, **rest)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode: str) -> None:
    base = woken(TRANSFORMER)
    before = snapshot(base)
    fitted = fit(base, mode)
    report = fitted.report
    assert same_weights(base, before)
    assert report.requested == mode
    assert report.mode in ({"prompt", "full"} if mode == "auto" else {mode})
    assert report.reason
    assert (fitted.model is base) == (report.mode == "prompt")
    assert (fitted.row is None) == (report.mode == "prompt")
    assert fitted.calibration is not None
    assert FitReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    if mode != "prompt":
        trained = "full" if mode == "auto" else mode
        assert set(report.validation) == {trained, "prompt"}
        assert report.held_back == 2
        assert sorted(report.curve) == [0, 2, 4]
        assert report.validation["prompt"] > 0
        assert report.validation[trained] in report.curve.values()
        assert report.copying[trained] > 0
    assert report.seconds >= 0


def scripted(
    monkeypatch: pytest.MonkeyPatch,
    *verdicts: tuple[float, float],
    mode: str = "auto",
    progress=None,
    delivered: float = 0.9,
) -> Fitted:
    """A fit whose judge says these scores and copying ratios, before training and at steps 2 and 4, and ``delivered``
    as the copying ratio of what is trained on all series.

    What is shown and not trained, and has no token of its own, is judged as before training.
    """
    said = iter(verdicts)

    def judge(model: Denoiser, row: int | None, *, trained: bool = True) -> Judgement:
        return Judgement(*(verdicts[0] if row is None else next(said, (0.0, delivered))))

    monkeypatch.setattr("tsprout.train.finetune.LEAST_STEPS", 0)
    monkeypatch.setattr(fitting, "Judge", lambda *_, **__: judge)
    return fit(woken(TRANSFORMER), mode, progress=progress)


def test_what_is_trained_is_corrected_as_such_and_what_is_shown_wholly(monkeypatch: pytest.MonkeyPatch) -> None:
    judged, corrected = [], []
    plain, whole = judge_module.correction, fitting.calibrate

    def judging(*what, trained: bool):
        judged.append(trained)
        return plain(*what, trained=trained)

    def correcting(*what, trained: bool = False, **rest):
        corrected.append(trained)
        return whole(*what, trained=trained, **rest)

    monkeypatch.setattr(judge_module, "correction", judging)
    monkeypatch.setattr(fitting, "calibrate", correcting)
    fit(woken(TRANSFORMER), "full")
    # Before training and after each look, then shown and not trained, then what is delivered.
    assert judged == [True, True, True, False, True]
    fit(woken(TRANSFORMER), "prompt")
    assert corrected == [True, False]


def test_auto_keeps_training_that_helped_and_trains_as_long_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    trained_on: list[tuple[int, int]] = []
    plain = fitting.finetune

    def spy(model, some, mode, config, **rest):
        trained_on.append((len(some), config.blind_steps if rest.get("judge") is None else config.steps))
        return plain(model, some, mode, config, **rest)

    monkeypatch.setattr(fitting, "finetune", spy)
    fitted = scripted(monkeypatch, (1.0, 1.0), (0.75, 0.9), (0.9, 0.8))
    report = fitted.report
    assert (report.mode, report.steps) == ("full", 2)
    assert "25 %" in report.reason and "0.90" in report.reason
    assert report.validation == {"full": 0.75, "prompt": 1.0}
    assert report.copying == {"full": 0.9, "prompt": 1.0}
    assert report.curve == {0: 1.0, 2: 0.75, 4: 0.9}
    # Six of the eight while some were held back, then all of them for as many steps as were best.
    assert trained_on == [(6, 4), (8, 2)]


def test_auto_goes_without_training_that_did_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple] = []
    fitted = scripted(monkeypatch, (1.0, 1.0), (1.1, 1.0), (1.2, 1.0), progress=lambda *what: told.append(what))
    assert told == [*(("fit", step, 4) for step in range(5)), ("train", 1, 1)]
    assert (fitted.report.mode, fitted.report.steps, fitted.row) == ("prompt", 0, None)
    assert "training raised the error" in fitted.report.reason
    assert fitted.report.validation == {"full": 1.1, "prompt": 1.0}


def test_auto_trains_where_the_judge_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    report = scripted(monkeypatch, (1.0, 1.0), (1.02, 0.9), (1.04, 0.8)).report
    assert (report.mode, report.steps) == ("full", 4)
    assert "about the same" in report.reason and "within 8 %" in report.reason
    assert report.validation == {"full": 1.04, "prompt": 1.0}


def test_auto_goes_without_training_that_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    report = scripted(monkeypatch, (1.0, 1.0), (0.5, 0.3)).report
    assert report.mode == "prompt"
    assert "copy" in report.reason and "0.30" in report.reason


def test_auto_keeps_what_came_before_the_copying(monkeypatch: pytest.MonkeyPatch) -> None:
    report = scripted(monkeypatch, (1.0, 1.0), (0.9, 0.8), (0.2, 0.1)).report
    assert (report.mode, report.steps) == ("full", 2)


def test_what_is_delivered_is_looked_at_for_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = scripted(monkeypatch, (1.0, 1.0), (0.9, 0.8), (0.8, 0.8), delivered=0.4)
    assert "samples lie 0.40 times as far" in fitted.report.reason and fitted.report.copying["full"] == 0.4
    assert any("near to copies: they lie 0.40 times" in note for note in fitted.report.notes)
    assert scripted(monkeypatch, (1.0, 1.0), (0.9, 0.8), (0.8, 0.8), delivered=0.6).report.notes == ()


def test_copying_is_the_reason_where_the_error_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "began to copy" in scripted(monkeypatch, (1.0, 1.0), (1.03, 0.3)).report.reason
    assert "raised the error" in scripted(monkeypatch, (1.0, 1.0), (1.3, 0.3)).report.reason


def test_a_mode_asked_for_is_trained_even_where_it_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    report = scripted(monkeypatch, (1.0, 1.0), (1.5, 1.0), (1.2, 1.0), mode="bias").report
    assert (report.mode, report.steps) == ("bias", 4)
    assert report.reason.startswith("asked for: 4 training steps")
    assert report.validation == {"bias": 1.2, "prompt": 1.0}


def test_a_score_that_is_not_positive_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scripted(monkeypatch, (0.0, 1.0), (-0.1, 1.0), (0.1, 1.0)).report.mode == "full"


@pytest.mark.parametrize("n", [1, 4])
def test_auto_does_not_train_blind(n: int) -> None:
    told: list[tuple] = []
    fitted = fit(woken(TRANSFORMER), "auto", n=n, progress=lambda *what: told.append(what))
    assert fitted.report.mode == "prompt"
    assert f"{n} series {'is' if n == 1 else 'are'} too few" in fitted.report.reason
    assert told == [("fit", 1, 1)]


@pytest.mark.parametrize("n", [1, 4])
def test_a_mode_asked_for_trains_blind_and_says_so(n: int) -> None:
    fitted = fit(woken(TRANSFORMER), "full", n=n)
    report = fitted.report
    # One series says nothing of level and spread that is beyond chance.
    assert (fitted.calibration is None) == (n == 1)
    assert (report.mode, report.steps, report.held_back) == ("full", 2, 0)
    assert any("too few" in note for note in report.notes)
    assert "none of them checked" in report.reason
    assert report.validation == {} and report.copying == {}


def test_a_model_without_a_prompt_has_to_be_trained() -> None:
    base = woken(PADDED)
    with pytest.raises(InputError, match="no prompt encoder"):
        fit(base, "prompt")
    report = fit(base, "auto").report
    assert report.mode == "full" and report.requested == "auto"
    assert "no prompt encoder" in report.reason
    assert set(report.validation) == {"full"}
    assert fit(base, "auto", n=2).report.mode == "full"


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(InputError, match="no mode 'half'"):
        fit(woken(TRANSFORMER), "half")
    with pytest.raises(InputError, match="no dataset token"):
        fit(woken(replace(TRANSFORMER, rows=0)), "token")


def test_auto_survives_training_that_blows_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_, **__) -> None:
        raise TrainingError("the loss stopped being finite at step 3")

    monkeypatch.setattr(fitting, "finetune", fail)
    fitted = fit(woken(TRANSFORMER), "auto")
    assert fitted.report.mode == "prompt"
    assert "step 3" in fitted.report.reason
    for model, mode in ((woken(TRANSFORMER), "full"), (woken(PADDED), "auto")):
        with pytest.raises(TrainingError):
            fit(model, mode)


def test_the_budget_caps_the_steps_and_says_so() -> None:
    report = fit(woken(TRANSFORMER), "full", seconds=1e-9).report
    assert sorted(report.curve) == [0, 1]
    (note,) = (note for note in report.notes if "budget" in note)
    assert "bought 1 of 4 training steps; 5s would buy them all" in note
    assert not any("budget" in note for note in fit(woken(TRANSFORMER), "full").report.notes)


def test_the_clock_is_a_guard_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = fitting.finetune
    ticks = iter(range(0, 10_000, 100))

    def slow(*args, **rest):
        assert rest["seconds"] == 72.0 if "judge" in rest else 36.0 <= rest["seconds"] <= 120.0
        return plain(*args, **rest, clock=lambda: float(next(ticks)))

    monkeypatch.setattr(fitting, "finetune", slow)
    report = fit(woken(TRANSFORMER), "full").report
    assert sorted(report.curve) == [0, 1]
    assert any("stopped by the clock" in note for note in report.notes)


def test_seeds_decide() -> None:
    base = woken(TRANSFORMER)
    one, same, other = (fit(base, "full", seed=s) for s in (1, 1, 2))
    assert same_weights(one.model, snapshot(same.model))
    assert one.report.curve == same.report.curve
    assert one.report.copying == same.report.copying
    assert one.report.curve != other.report.curve


def test_cost_grows_with_what_is_computed() -> None:
    model = woken(TRANSFORMER)

    def cost(model: Denoiser, n: int, length: int) -> float:
        return step_cost(model, Shots.from_latent(waves(n, 2, length), np.full(n, length)), QUICK)

    assert cost(model, 5, 16) < cost(model, 50, 16)
    assert cost(model, 5, 16) < cost(model, 5, 64)
    assert cost(woken(UNET), 5, 16) > 0
    assert cost(woken(PADDED), 5, 16) == cost(woken(PADDED), 50, 16)


def test_ragged_shots() -> None:
    latent, lengths = waves(8), np.array([16, 12, 9, 16, 12, 9, 16, 5])
    for row, own in zip(latent, lengths, strict=True):
        row[:, own:] = np.nan
    latent[0, 0, 2] = np.nan
    fitted = fit_model(woken(UNET), latent, lengths, "auto", seconds=60.0, seed=0, config=QUICK)
    assert all(np.isfinite(v) for v in (*fitted.report.validation.values(), *fitted.report.copying.values()))

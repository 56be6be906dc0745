"""The SVG writer and the curves it draws: numbers a person reads, paths with gaps, known answers."""

from __future__ import annotations

import numpy as np
import pytest

from tsprout.report import curves, svg


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (0.05204, "0.0520"),
        (1234.5, "1,234"),
        (-0.5, "−0.500"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
        (-float("inf"), "−∞"),
        (1.5e9, "1.50×10⁹"),
        (-2e-7, "−2.00×10⁻⁷"),
        (5e-320, "5.00×10⁻³²⁰"),
    ],
)
def test_numbers(value, words):
    assert svg.number(value) == words


@pytest.mark.parametrize("ends", [(0, 1), (20.2, 28), (-3e-9, 8e-9), (1e6, 1e6 + 3), (-4e29, 5e30), (0.3, 0.31)])
def test_ticks_are_few_round_and_inside(ends):
    for most in (3, 4, 6):
        found = svg.ticks(*ends, most)
        assert 2 <= len(found) <= most + 2
        assert found[0] >= ends[0] - 1e-9 * abs(ends[0])
        assert found[-1] <= ends[1] + 1e-9 * abs(ends[1])
        step = np.diff(found)[0]
        assert round(step / 10 ** np.floor(np.log10(step) + 1e-9)) in (1, 2, 5)


def test_tick_labels_say_what_was_taken_out():
    assert svg.tick_labels(np.array([0.0, 0.5, 1.0])) == (["0", "0.5", "1.0"], "")
    assert svg.tick_labels(np.array([0.0, 2e5, 4e5])) == (["0", "200", "400"], "×10³")
    labels, note = svg.tick_labels(np.array([1e6, 1e6 + 1, 1e6 + 2]))
    assert (labels, note) == (["0", "1", "2"], "+ 1,000,000")
    assert svg.tick_labels(np.array([-1.0, 0.0, 1.0]))[0] == ["−1", "0", "1"]


def test_paths_lift_the_pen_at_gaps():
    nan = float("nan")
    assert svg.coordinates(np.array([0, 1, 2, 3.0]), np.array([0, 1.5, nan, -2])) == "M0 0l1 1.5M2-2h2"
    assert svg.coordinates(np.array([nan]), np.array([0.0])) == ""


def test_thinning_keeps_the_extremes_and_the_gaps():
    values = np.sin(np.arange(5000) / 50.0)
    values[1234], values[4000] = 40.0, -30.0
    values[2000:2600] = np.nan
    xs, ys = svg.thin(np.arange(5000.0), values)
    assert len(ys) <= 160
    assert {40.0, -30.0} <= set(ys)
    assert np.isnan(ys[(xs >= 2050) & (xs < 2550)]).all()
    assert (np.diff(xs) > 0).all()


def test_text_is_cleaned_and_cut():
    assert svg.clean(" a\x00\n\u202eb ") == "a b"
    assert svg.clean("\ud800") == "?"
    assert svg.shorten("abcdef", 4) == "abc…"
    assert svg.clean("علی\u200cرضا") == "علی\u200cرضا"  # joiners belong to words


def test_autocorrelation_of_a_wave_is_a_wave():
    steps = np.arange(2000)
    curve = curves.autocorrelation(np.sin(2 * np.pi * steps / 20)[None])
    assert curve.middle[0] == pytest.approx(1)
    assert curve.middle[10] == pytest.approx(-1, abs=0.02)
    assert curve.middle[20] == pytest.approx(1, abs=0.02)


def test_gaps_and_lengths_do_not_bend_the_autocorrelation():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((400, 60))
    noise[:, 40:] = np.nan
    noise[rng.random(noise.shape) < 0.2] = np.nan
    curve = curves.autocorrelation(noise)
    assert np.abs(curve.middle[1:]).max() < 0.06
    assert (curve.low <= curve.high).all()
    assert not curves.autocorrelation(np.full((3, 12), 4.2)).known
    assert not curves.autocorrelation(np.full((3, 12), np.nan)).known


@pytest.mark.parametrize("length", [64, 1000])
def test_the_spectrum_peaks_at_the_period(length):
    steps = np.arange(length)
    curve = curves.spectrum(5 + np.sin(2 * np.pi * steps / 8)[None])
    assert 1 / curve.at[curve.middle.argmax()] == pytest.approx(8, rel=0.05)
    assert len(curve.at) <= 60
    assert not curves.spectrum(np.ones((2, length))).known
    assert not curves.spectrum(np.ones((2, 3))).known


def test_white_noise_has_a_flat_spectrum_of_its_variance():
    noise = 3 * np.random.default_rng(0).standard_normal((500, 100))
    curve = curves.spectrum(noise)
    power = curve.middle[:-1] / np.log(2)  # it is exponential, and its median ln 2 times its mean; the last is real
    assert power == pytest.approx(9, rel=0.25)
    assert power.mean() == pytest.approx(9, rel=0.02)


def test_limits_hold_all_that_is_real_and_leave_wild_values_out():
    real, made = np.array([0.0, 10.0]), np.append(np.linspace(-2, 12, 999), 1e9)
    low, high = curves.limits(real, made)
    assert low < 0
    assert 10 < high < 20
    assert curves.outside(made, (low, high)) == 1
    assert curves.limits(real, made, reach=0.5)[1] < 20
    low, high = curves.limits(np.array([7.0]), np.array([7.0]))
    assert low < 7 < high
    assert curves.limits(np.array([np.nan]), np.array([np.nan])) == (-1, 1)


def test_histograms_have_area_one():
    pool = np.random.default_rng(0).standard_normal(1000)
    edges = curves.bins((-1.0, 1.0), pool, pool[:100])
    assert len(edges) == 21
    assert np.sum(curves.histogram(pool, edges) * np.diff(edges)) == pytest.approx(1)


def test_words_in_a_drawing_are_text():
    panel = svg.Panel(0, 0, 100, 50, (0, 1), (0, 1))
    panel.text(1, 2, '<b> & "c"')
    panel.note("<i>")
    drawn = svg.drawing(100, 50, '<u> "d" \u202e', panel.draw())
    assert "&lt;b&gt; &amp;" in drawn
    assert 'aria-label="&lt;u&gt; &quot;d&quot;"' in drawn
    assert not [each for each in ("<b>", "<i>", "<u>", "\u202e") if each in drawn]

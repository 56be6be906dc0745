"""Maps of one channel: closed forms, inverses, monotonicity, straight edges, JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsprout.data.transforms import CURVES, Constant, Curve, Hurdle, Levels, transform_from_dict, transform_to_dict

CURVE = {
    "identity": Curve("identity", 3.0, 2.0, 0.0, 10.0),
    "asinh": Curve("asinh", 3.0, 2.0, -40.0, 90.0),
    "log1p": Curve("log1p", 1.0, 2.0, 1.0, 50.0),
    "reflected_log1p": Curve("reflected_log1p", 50.0, 2.0, 1.0, 50.0),
}
HURDLE = Hurdle(5.0, 1.5, 0.7, Curve("log1p", 0.5, 2.0, 0.5, 30.0))
SMOOTH = [*CURVE.values(), HURDLE]


def label(transform):
    return transform.label


def test_curves_are_the_closed_forms_within_the_range():
    x = np.linspace(1.0, 50.0, 99)
    np.testing.assert_allclose(CURVE["identity"].forward(x), (x - 3) / 2)
    np.testing.assert_allclose(CURVE["asinh"].forward(x), np.arcsinh((x - 3) / 2))
    np.testing.assert_allclose(CURVE["log1p"].forward(x), np.log(1 + (x - 1) / 2))
    np.testing.assert_allclose(CURVE["reflected_log1p"].forward(x), -np.log(1 + (50 - x) / 2))


@pytest.mark.parametrize("transform", SMOOTH, ids=label)
@given(x=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_smooth_maps_are_inverted_everywhere(transform, x):
    values = np.array(x)
    back = transform.inverse(transform.forward(values))
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("transform", [*SMOOTH, Levels((-1.0, 0.0, 10.0))], ids=label)
def test_maps_increase_both_ways(transform):
    x = np.linspace(-200, 300, 20001)
    assert (np.diff(transform.forward(x)) >= -1e-12).all()
    assert (np.diff(transform.inverse(np.linspace(-20, 20, 20001))) >= -1e-9).all()


@pytest.mark.parametrize("kind", [kind for kind in CURVES if kind != "identity"])
def test_beyond_the_range_seen_a_curve_is_straight_and_at_most_twice_its_mean_slope(kind):
    curve = CURVE[kind]
    for edge, step in ((curve.low, -1.0), (curve.high, 1.0)):
        u = curve.forward(edge + step * np.array([0.0, 1.0, 2.0, 50.0]))
        slope = abs(u[1] - u[0])
        assert slope > 0
        np.testing.assert_allclose(np.abs(u - u[0]), slope * np.array([0, 1, 2, 50]))
        ends = curve.forward(np.array([curve.low, curve.high]))
        mean = (ends[1] - ends[0]) / (curve.high - curve.low)
        inner = abs(curve.forward(np.array([edge - step * 1e-6]))[0] - u[0]) / 1e-6
        np.testing.assert_allclose(slope, max(inner, mean / 2), rtol=1e-4)


def test_a_curve_of_a_single_value_still_has_edges():
    curve = Curve("log1p", 4.0, 1.0, 4.0, 4.0)
    np.testing.assert_allclose(curve.inverse(curve.forward(np.array([3.0, 4.0, 6.0]))), [3.0, 4.0, 6.0])


def test_hurdle_has_a_band_for_the_atom_and_both_sides():
    np.testing.assert_array_equal(HURDLE.inverse(np.array([-0.75, -0.3, 0.0, 0.7, 0.75])), 5.0)
    u = HURDLE.forward(np.array([4.5, 5.0, 5.5]))
    np.testing.assert_allclose(u, [-1.5, 0.0, 1.5])
    # Closer to the atom than any value seen: between half a gap and a gap, and never the atom itself.
    near = HURDLE.forward(np.array([5.0001, 5.25]))
    np.testing.assert_allclose(near, [0.75 + 0.75 * 0.0002, 0.75 + 0.375])
    assert (HURDLE.inverse(np.array([0.7501, -0.7501])) != 5.0).all()


def test_levels_snap_to_the_nearest_rank():
    levels = Levels((0.0, 1.0, 1000.0))
    np.testing.assert_array_equal(levels.forward(np.array([0, 1, 1000])), [0, 1, 2])
    np.testing.assert_array_equal(levels.inverse(np.array([-9, 0.49, 0.51, 1.6, 99])), [0, 0, 1, 1000, 1000])
    assert (levels.label, Levels((0.0, 1.0)).label) == ("levels", "binary")


@pytest.mark.parametrize("transform", [*SMOOTH, Levels((0.0, 1.0)), Constant(3.0), Constant(None)], ids=label)
def test_missing_stays_missing_and_json_keeps_every_bit(transform):
    x = np.array([np.nan, 1.0, np.nan])
    for out in (transform.forward(x), transform.inverse(x)):
        assert np.isnan(out[[0, 2]]).all()
    assert transform_from_dict(json.loads(json.dumps(transform_to_dict(transform)))) == transform


def test_constant_gives_its_value_and_empty_gives_nothing():
    z = np.array([0.0, 5.0])
    np.testing.assert_array_equal(Constant(3.0).inverse(z), 3.0)
    np.testing.assert_array_equal(Constant(3.0).forward(z), 0.0)
    assert np.isnan(Constant(None).inverse(z)).all()


GOOD_CURVE = transform_to_dict(CURVE["log1p"])
GOOD_HURDLE = transform_to_dict(HURDLE)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"name": "spline"},
        {**GOOD_CURVE, "kind": "cubic"},
        {**GOOD_CURVE, "scale": 0.0},
        {**GOOD_CURVE, "low": 60.0},
        {**GOOD_CURVE, "low": "1"},
        {**GOOD_CURVE, "low": True},
        {**GOOD_CURVE, "low": float("nan")},
        {**GOOD_CURVE, "centre": 500.0},
        {**transform_to_dict(CURVE["reflected_log1p"]), "centre": 0.0},
        {**GOOD_HURDLE, "gap": 0.0},
        {"name": "levels", "values": [1.0]},
        {"name": "levels", "values": [2.0, 1.0]},
        {"name": "constant"},
    ],
)
def test_damaged_dicts_are_refused(bad):
    with pytest.raises((KeyError, TypeError, ValueError)):
        transform_from_dict(bad)

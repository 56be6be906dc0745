"""Long recordings in windows: every gap is filled once, from both sides, and each draw is of one piece."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsprout.stitching import pieces, stitched


@given(st.integers(4, 40), st.integers(1, 200), st.integers(0, 2**31))
def test_pieces_cover_every_gap_once_and_lie_within_their_windows(window: int, more: int, seed: int) -> None:
    empty = np.random.default_rng(seed).random((2, window + more)) < 0.2
    first, second = pieces(empty, window)
    covered = np.zeros(window + more, int)
    for piece in (*first, *second):
        assert piece.start <= piece.low < piece.high <= piece.start + window <= window + more
        covered[piece.low : piece.high] += 1
    assert (covered <= 1).all() and covered[empty.any(axis=0)].all()
    for turn in (first, second):
        assert all(a.high <= b.low for a, b in pairwise(turn))


def test_a_recording_without_gaps_has_none() -> None:
    assert pieces(np.zeros((1, 100), bool), 16) == ([], [])


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_what_is_known_stays_and_later_windows_see_what_earlier_ones_drew(at_once: int) -> None:
    rng = np.random.default_rng(0)
    recording = rng.standard_normal((2, 90)).astype(np.float32)
    empty = np.zeros(recording.shape, bool)
    empty[0, 10:60] = empty[1, 33:35] = True
    recording[empty] = np.nan
    recording[1, 80] = np.nan  # a gap that is not to be filled
    seen: list[np.ndarray] = []

    def draw(rows: np.ndarray) -> np.ndarray:
        seen.append(rows.copy())
        return np.where(np.isnan(rows), 100.0 + len(seen), rows).astype(np.float32)

    done: list[int] = []
    out = stitched(recording, empty, 20, 3, at_once, draw, done.append)
    assert out.shape == (3, 2, 90) and np.isnan(out[:, 1, 80]).all() and (out[:, empty] > 100).all()
    known = ~empty & np.isfinite(recording)
    assert (out[:, known] == recording[known]).all() and sum(done) == sum(map(len, pieces(empty, 20)))
    # The last windows have 100 and more around what they are to fill.
    assert np.nanmax(seen[-1]) > 100 and np.isnan(seen[-1]).any() and not (np.nanmax(seen[0]) > 100)


def test_draws_go_on_across_the_seams() -> None:
    # A random walk that is drawn given its neighbours: where windows meet it must not jump.
    rng, length, window = np.random.default_rng(0), 120, 24
    recording, empty = np.full((1, length), np.nan, np.float32), np.ones((1, length), bool)
    recording[0, [0, -1]], empty[0, [0, -1]] = 0, False

    def walk(rows: np.ndarray) -> np.ndarray:
        out = rows.copy()
        for row in out[:, 0]:
            known = np.flatnonzero(np.isfinite(row))
            steps = rng.standard_normal(window).cumsum()
            if known.size:
                steps += np.interp(np.arange(window), known, row[known] - steps[known])
            row[:] = np.where(np.isfinite(row), row, steps)
        return out

    out = stitched(recording, empty, window, 50, 1000, walk, lambda _: None)
    moves = np.abs(np.diff(out[:, 0])).mean(axis=0)
    within = moves[5:-5]
    assert within.max() < 3 * np.median(within)

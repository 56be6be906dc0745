"""The picture: whole or not at all, the same every time, and able to show whatever it is given."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from tsprout.errors import InputError, TsproutError
from tsprout.report import plots
from tsprout.report.plots import overlay
from tsprout.series import SeriesSet


def walks(n: int, channels: int, length: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, channels, length)), axis=-1)


def size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def drawn(real: np.ndarray, made: np.ndarray, **options):
    """The figure itself, to be asked what it shows."""
    sets = SeriesSet.from_arrays(real), SeriesSet.from_arrays(made)
    return plots._figure(*sets, options.get("title"), options.get("max_channels", 8), options.get("max_series", 12))


def test_the_same_sets_give_the_same_bytes_and_a_row_a_channel(tmp_path):
    real, made = SeriesSet.from_arrays(walks(10, 3, 24)), SeriesSet.from_arrays(walks(50, 3, 24, 1))
    first, second = overlay(real, made, tmp_path / "a.png"), overlay(real, made, str(tmp_path / "b.png"))
    assert first.read_bytes() == second.read_bytes()
    width, height = size(first)
    assert 1000 < width < 2000
    assert size(overlay(real, made, tmp_path / "c.png", max_channels=1))[1] < height / 1.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


def test_real_and_synthetic_paths_share_their_axis_and_are_at_most_max_series():
    figure = drawn(walks(30, 2, 24), 100 + walks(40, 2, 30), max_series=7)
    paths, made, density = figure.axes[:3]
    assert paths.get_ylim() == made.get_ylim()
    assert paths.get_xlim() == made.get_xlim() == (0, 29)
    assert len(paths.lines) == len(made.lines) == 7
    assert density.get_xlim() == paths.get_ylim()
    low, high = paths.get_ylim()
    assert low < walks(30, 2, 24)[:, 0].min()
    assert high > 90


def test_paths_are_the_values_in_their_own_units():
    values = 1e6 * walks(3, 1, 20)
    lines = drawn(values, values).axes[0].lines
    assert np.array_equal([line.get_ydata() for line in lines], values[:, 0].astype(np.float32))


def test_densities_have_area_one():
    density = drawn(walks(20, 1, 24), walks(200, 1, 24, 1)).axes[2]
    for patch in density.patches:
        heights, edges, _ = patch.get_data()
        assert np.sum(heights * np.diff(edges)) == pytest.approx(1)


def test_channels_beyond_the_first_are_counted():
    texts = [text.get_text() for text in drawn(walks(2, 256, 5), walks(2, 256, 5)).texts]
    assert "248 more channels not shown" in texts
    assert "1 more channel not shown" in [text.get_text() for text in drawn(walks(2, 9, 5), walks(2, 9, 5)).texts]
    assert "2 real and 2 synthetic series" in texts
    assert "Mine" in [text.get_text() for text in drawn(walks(2, 1, 5), walks(2, 1, 5), title="Mine").texts]


def test_a_wild_value_does_not_flatten_the_rest_and_is_counted():
    made = walks(50, 1, 24)
    made[3, 0, 4] = 1e6
    axes = drawn(walks(10, 1, 24), made).axes
    assert axes[0].get_ylim()[1] < 100
    assert [text.get_text() for text in axes[1].texts] == ["1 of 1,200 values outside"]
    assert not axes[0].texts


def test_a_value_between_gaps_is_still_seen():
    real = walks(1, 1, 9)
    real[..., [1, 3, 5]] = np.nan
    dots = [line for line in drawn(real, walks(1, 1, 9)).axes[0].lines if line.get_marker() == "."]
    assert [line.get_xdata().tolist() for line in dots] == [[0, 2, 4]]


@pytest.mark.parametrize(
    "case", ["one", "one step", "gaps", "constant", "zero", "empty channel", "empty both", "tiny range", "odd names"]
)
def test_hard_cases_are_drawn_without_a_warning(tmp_path, case):
    real, made, names = walks(4, 2, 12), walks(30, 2, 12, 1), ["a", "b"]
    if case == "one":
        real, made = real[:1], made[:1]
    elif case == "one step":
        real, made = real[..., :1], made[..., :1]
    elif case == "gaps":
        real[0, 0, 3:8] = real[1, :, 7:] = real[2, 1, ::2] = np.nan
    elif case == "constant":
        real[:, 0] = made[:, 0] = -7.5
    elif case == "zero":
        real[:, 0] = made[:, 0] = 0
    elif case == "empty channel":
        real[:, 0] = np.nan
    elif case == "empty both":
        real[:, 0] = made[:, 0] = np.nan
    elif case == "tiny range":
        real[:, 0], made[:, 0] = 1e6 + 1e-3 * real[:, 0], 1e6 + 1e-3 * made[:, 0]
    else:
        names = ["$ per $^{unit", "温度 a very long name without end " * 3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = overlay(
            SeriesSet.from_arrays(real, channels=names), SeriesSet.from_arrays(made, channels=names), tmp_path / "p.png"
        )
    assert path.stat().st_size > 5000


def test_long_names_take_two_lines():
    assert plots._short("a b") == "a b"
    lines = plots._short("a very very long channel name indeed, in kilowatt").split("\n")
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(len(line) <= 19 for line in plots._short("x" * 80).split("\n"))
    assert plots._short("") == ""


def test_the_callers_style_is_neither_used_nor_changed(tmp_path):
    import matplotlib

    real = SeriesSet.from_arrays(walks(3, 1, 12))
    plain = overlay(real, real, tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 9}):
        before = dict(matplotlib.rcParams)
        assert overlay(real, real, tmp_path / "b.png").read_bytes() == plain
        assert dict(matplotlib.rcParams) == before


def test_nothing_is_left_behind_when_it_fails(tmp_path, monkeypatch):
    real = SeriesSet.from_arrays(walks(3, 1, 12))
    (tmp_path / "taken").mkdir()
    with pytest.raises(TsproutError, match="is a directory"):
        overlay(real, real, tmp_path / "taken")
    from matplotlib.figure import Figure

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    old = tmp_path / "old.png"
    old.write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", stop)
    with pytest.raises(KeyboardInterrupt):
        overlay(real, real, old)
    assert old.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.png", "taken"]


def test_what_cannot_be_drawn_is_refused_in_words(tmp_path):
    one, two = SeriesSet.from_arrays(walks(3, 1, 12)), SeriesSet.from_arrays(walks(3, 2, 12))
    with pytest.raises(InputError, match="1 channels and the synthetic ones 2"):
        overlay(one, two, tmp_path / "a.png")
    with pytest.raises(InputError, match="nothing to plot"):
        overlay(one[:0], one, tmp_path / "a.png")
    with pytest.raises(InputError, match="at least one"):
        overlay(one, one, tmp_path / "a.png", max_channels=0)
    assert not list(tmp_path.iterdir())


def test_importing_metrics_and_plots_loads_nothing_heavy():
    code = (
        "import sys, tsprout.metrics, tsprout.report.plots;"
        "print([m for m in ('torch', 'pandas', 'pyarrow', 'matplotlib', 'scipy', 'sklearn') if m in sys.modules])"
    )
    root = Path(plots.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"

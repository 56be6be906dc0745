"""The parts of the jobs that the command line alone does not show."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tsprout import accounts, job, job_options
from tsprout.accounts import Stopwatch
from tsprout.errors import InputError
from tsprout.job import least_bytes
from tsprout.job_options import ReaderOptions, SampleOptions
from tsprout.reservoir import Reservoir, kept_of
from tsprout.series import SeriesSet


def test_names_agree_with_the_floors_below() -> None:
    """They are written twice so that ``--help`` need not load torch."""
    from tsprout.data.scaling import TRANSFORMS
    from tsprout.diffusion.samplers import SOLVERS
    from tsprout.fitting import MODES

    assert tuple(MODES) == job_options.MODES
    assert tuple(SOLVERS) == job_options.SOLVERS
    assert tuple(TRANSFORMS) == job_options.TRANSFORMS


def numbered(start: int, stop: int) -> SeriesSet:
    values = np.arange(start, stop, dtype=np.float32)[:, None, None].repeat(4, axis=2)
    return SeriesSet.from_arrays(values, ids=np.arange(start, stop))


def test_reservoir_keeps_all_of_few() -> None:
    reservoir = Reservoir(10, np.random.default_rng(0))
    for start in range(0, 9, 3):
        reservoir.add(numbered(start, start + 3))
    assert reservoir.kept().values[:, 0, 0].tolist() == list(range(9))


def test_reservoir_is_uniform_and_flat() -> None:
    counts = np.zeros(40)
    for seed in range(300):
        reservoir = Reservoir(8, np.random.default_rng(seed))
        for start in range(0, 40, 7):
            reservoir.add(numbered(start, min(start + 7, 40)))
        kept = reservoir.kept().values[:, 0, 0].astype(int)
        assert len(set(kept.tolist())) == 8
        counts[kept] += 1
    assert reservoir.seen == 40
    # every series is kept with probability 8/40: 60 times of 300, with a standard deviation below 7
    assert counts.min() > 30
    assert counts.max() < 90


def test_what_was_asked_for_by_label_is_kept_in_the_shares_of_real_ones() -> None:
    names = np.array(["a"] * 6 + ["b"] * 3 + ["c"] * 3, dtype=object)
    real = dataclasses.replace(numbered(0, 12), labels=names)
    kept = kept_of(real, {"a": 500, "b": 20}, 90, np.random.default_rng(0))
    for label, start, stop in (("a", 100, 400), ("a", 400, 600), ("b", 600, 620)):
        batch = numbered(start, stop)
        kept.add(dataclasses.replace(batch, labels=np.full(len(batch), label, dtype=object)))
    assert kept.real.labels is not None and kept.real.labels.tolist() == ["a"] * 6 + ["b"] * 3
    labels = kept.kept().labels
    assert kept.wanting == {"b": 10}  # two thirds of ninety are of "a"
    assert labels is not None and labels.tolist() == ["a"] * 60 + ["b"] * 20
    assert kept.kept().values[:60, 0, 0].max() >= 400  # not only the first ones
    more = numbered(620, 630)
    kept.add(dataclasses.replace(more, labels=np.full(10, "b", dtype=object)))
    assert len(kept.kept()) == 90
    assert kept_of(real, {"a": 8, "b": 1}, 90, np.random.default_rng(0)).wanting == {"b": 2}
    whole = kept_of(real, 9, 5, np.random.default_rng(0))
    assert whole.real is real and not whole.wanting


def test_reservoir_holds_no_batch_alive() -> None:
    reservoir = Reservoir(2, np.random.default_rng(0))
    batch = numbered(0, 50)
    reservoir.add(batch)
    assert not any(np.shares_memory(one.values, batch.values) for one in reservoir._kept)


def test_least_bytes() -> None:
    shots = numbered(0, 3)
    assert least_bytes(Path("x.csv"), shots, SampleOptions(n=10)) == 10 * 1 * 4 * 2
    assert least_bytes(Path("x.CSV"), shots, SampleOptions(n=10, length=100)) == 10 * 1 * 100 * 2
    assert least_bytes(Path("x.parquet"), shots, SampleOptions(n=10**12)) == 0


def test_reader_options_hold_only_what_was_given() -> None:
    assert ReaderOptions().to_dict() == {"encoding": "utf-8"}
    given = ReaderOptions(window=4, channels=("a",)).to_dict()
    assert given == {"window": 4, "channels": ["a"], "encoding": "utf-8"}


def test_stopwatch_counts_a_stage_that_fails() -> None:
    watch = Stopwatch()
    with pytest.raises(ValueError), watch.stage("a"):
        raise ValueError
    with watch.stage("a"), watch.stage("b"):
        pass
    assert list(watch.rounded()) == ["a", "b", "total"] or list(watch.rounded()) == ["b", "a", "total"]


def test_peak_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    here = accounts.peak_memory()
    assert here is not None
    assert 10**7 < here < 10**12
    monkeypatch.setattr(sys, "platform", "darwin")
    assert accounts.peak_memory() == pytest.approx(here / 1024, rel=0.2)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert accounts.peak_memory() is None


def test_versions_leave_out_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    real = metadata.version

    def version(name: str) -> str:
        if name == "pandas":
            raise metadata.PackageNotFoundError
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = accounts.versions()
    assert "pandas" not in found
    assert found["numpy"] == np.__version__


def test_a_set_that_cannot_be_scored_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    import tsprout.metrics

    def refuse(*args: Any, **options: Any) -> None:
        raise InputError("too short to score")

    monkeypatch.setattr(tsprout.metrics, "quick_scores", refuse)
    scores = job.score(numbered(0, 3), numbered(0, 3), seed=0)
    assert scores.summary() == "There are no scores: too short to score"
    assert len(scores) == 0


def test_what_is_read_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tsprout.cli import main

    out = tmp_path / "out"
    real = np.random.default_rng(0).normal(size=(6, 1, 12))
    np.save(tmp_path / "real.npy", real)
    job = ["--axes", "ncl", "--model", "copies", "-q", "--force"]
    assert main(["run", str(tmp_path / "real.npy"), "-n", "5", "-o", str(out), *job]) == 0
    before = (out / "synthetic.npy").read_bytes()
    (tmp_path / "other").symlink_to(out)
    for arguments in (
        ["run", str(out / "synthetic.npy"), "-n", "5", "-o", str(out)],
        ["run", str(tmp_path / "other" / "synthetic.npy"), "-n", "5", "-o", str(out)],
        ["run", str(out / "synthetic.npy"), "-n", "5", "-o", str(tmp_path / "new"), "--keep-model", str(out)],
        ["fit", str(out / "synthetic.npy"), "-o", str(out)],
    ):
        assert main([*arguments, *job]) == 2
        said = capsys.readouterr().err
        assert "would replace synthetic.npy" in said or (arguments[0] == "fit" and "so it is not replaced" in said)
    assert (out / "synthetic.npy").read_bytes() == before

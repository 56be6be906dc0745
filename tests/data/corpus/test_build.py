"""What may go into a corpus, what is refused and why, and what is done to the values on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_corpus import HELD, TRAINED, data_folder, entries_of, noisy_walk

from tsprout import corpora
from tsprout.data import files
from tsprout.data.catalog import sets
from tsprout.data.catalog.entry import catalogue
from tsprout.data.corpus import build as module
from tsprout.data.corpus import guard
from tsprout.data.corpus.build import Plan, build, plan, tame
from tsprout.data.corpus.store import Corpus
from tsprout.errors import InputError
from tsprout.series import SeriesSet


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is the only one, and whose evaluation set has a fingerprint."""
    folder = data_folder(tmp_path / "data")
    monkeypatch.setenv("TSPROUT_DATA", str(folder))
    monkeypatch.setattr("tsprout.data.catalog.folders.pack_folder", lambda: None)
    monkeypatch.setattr(sets, "pack_folder", lambda: None)
    prints = {"Judge": guard.fingerprint([noisy_walk(3000, 2, seed=5)])}
    monkeypatch.setattr(guard, "known", lambda: prints)
    return folder


def planned(folder: Path, **choice: Any) -> Plan:
    return plan(folders=(folder,), known=entries_of(folder), **choice)


def built(folder: Path, out: Path, *, seed: int = 0, **choice: Any) -> Corpus:
    out.mkdir()
    chosen = planned(folder, **choice)
    assert build(chosen, out, seed=seed, folders=(folder,), known=entries_of(folder)) == list(Corpus(out).sets)
    return Corpus(out)


def contents(corpus: Corpus, name: str) -> list[np.ndarray]:
    return [corpus.piece(name, i) for i in range(len(corpus.pieces(name)))]


def csv_of(path: Path, values: np.ndarray, offset: int = 0) -> Path:
    """``(channels, steps)`` as a long CSV with a step a row."""
    lines = [",".join(["step", *(f"c{i}" for i in range(len(values)))])]
    lines += [",".join([str(offset + t), *(f"{x:.5f}" for x in row)]) for t, row in enumerate(values.T)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# The plan


def names(found: Plan) -> list[str]:
    return [entry.name for entry in found.entries]


def test_everything_that_is_here_and_may_be_trained_on(data: Path) -> None:
    found = planned(data)
    assert names(found) == sorted([*TRAINED, HELD])
    assert found.left_out == {
        "Near": "it records the same as the evaluation set Judge",
        "Priced": "a vendor's terms",
    }
    assert (found.absent, found.files) == ([], [])


def test_with_any_licence_but_never_near_copies(data: Path) -> None:
    found = planned(data, any_licence=True)
    assert "Priced" in names(found)
    assert list(found.left_out) == ["Near"]


@pytest.mark.parametrize(
    ("only", "any_licence", "reason"),
    [
        (["Judge"], True, "Judge cannot be in a corpus: it is an evaluation set"),
        (["Walk", "judge"], False, "Judge cannot be in a corpus: it is an evaluation set"),
        (["Near"], True, "Near cannot be in a corpus: it records the same as the evaluation set Judge"),
        (["Priced"], False, "Priced cannot be in a corpus: a vendor's terms"),
        (["Nowhere"], False, "no data set is called 'Nowhere'"),
    ],
)
def test_what_cannot_be_asked_for(data: Path, only: list[str], any_licence: bool, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        planned(data, only=only, any_licence=any_licence)


def test_every_evaluation_set_of_the_catalogue_is_refused_by_name(data: Path) -> None:
    every = catalogue()
    for entry in every.values():
        if entry.role == "eval" or entry.near:
            with pytest.raises(InputError, match=f"{entry.name} cannot be in a corpus"):
                plan(only=[entry.name], any_licence=True, folders=(data,), known=every)


def test_only_and_exclude(data: Path) -> None:
    assert names(planned(data, only=["walk", "Shapes", "Walk"])) == ["Shapes", "Walk"]
    assert names(planned(data, only=["Priced"], any_licence=True)) == ["Priced"]
    without = planned(data, exclude=["walk", HELD])
    assert names(without) == ["Many", "Pieces", "Shapes"]
    assert without.left_out["Walk"] == without.left_out[HELD] == "excluded by the caller"
    assert names(planned(data, only=["Walk", "Many"], exclude=["Many"])) == ["Walk"]
    with pytest.raises(InputError, match="no data set is called 'Wlak'.*\n.*Did you mean Walk"):
        planned(data, exclude=["Wlak"])


def test_what_is_not_here(data: Path) -> None:
    (data / "extra" / "Many.npz").unlink()
    found = planned(data)
    assert found.absent == ["Many"] and "Many" not in names(found)
    with pytest.raises(InputError, match="not here: Many") as caught:
        planned(data, only=["Walk", "Many"])
    assert "tsprout datasets pull Many" in str(caught.value)


def test_nothing_at_all(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set to build a corpus of") as caught:
        plan(folders=(tmp_path / "nowhere",), known=entries_of(data))
    assert "tsprout datasets pull" in str(caught.value) and "nowhere" in str(caught.value)
    own = plan(folders=(tmp_path / "nowhere",), known=entries_of(data), files=[tmp_path / "own.csv"])
    assert own.files == [tmp_path / "own.csv"] and own.entries == []


def test_the_bundled_catalogue_and_the_usual_folders_by_default(data: Path) -> None:
    found = plan()
    assert names(found) == sorted([*TRAINED, HELD])
    assert {"ETTh1", "Stocks"} <= set(found.left_out)
    assert "BikeSharing" in found.absent


# The corpus


def test_what_is_in_it(data: Path, tmp_path: Path) -> None:
    corpus = built(data, tmp_path / "out")
    facts = [(e.name, e.domain, e.channels, e.instances, e.pieces, e.held_out) for e in corpus.sets]
    assert facts == [
        ("Held", "nature", 5, False, 1, True),
        ("Many", "web", 1, False, 12, False),
        ("Pieces", "industry", 2, False, 2, False),  # the first is too short to cut anything from
        ("Shapes", "shape", 1, True, 50, False),
        ("Walk", "nature", 3, False, 1, False),
    ]
    assert all(entry.licence == "CC0" and len(entry.digest) == 64 for entry in corpus.sets)
    for name in ("Held", "Many", "Pieces", "Walk"):
        given = sets.load_set(name, folders=(data,), known=entries_of(data)).recordings
        stored = contents(corpus, name)
        for recording in given:
            matches = [np.array_equal(recording, piece, equal_nan=True) for piece in stored]
            assert sum(matches) == (recording.shape[1] >= 16)


def test_instances_are_trimmed_and_keep_their_labels(data: Path, tmp_path: Path) -> None:
    corpus = built(data, tmp_path / "out", only=["Shapes"])
    with np.load(data / "extra" / "Shapes.npz") as file:
        whole = np.concatenate([file["train_X"], file["test_X"]])[:, :, 0]
        labels = np.concatenate([file["train_y"], file["test_y"]])
    found, order = corpus.pieces("Shapes"), []
    for i, piece in enumerate(contents(corpus, "Shapes")):
        (row,) = np.flatnonzero((whole[:, :140] == piece[0, :140]).all(axis=1))
        order.append(int(row))
        assert piece.shape == (1, 150 if row < 20 else 140)
        assert found.labels[i] == (labels[row] == "up")
    assert sorted(order) == list(range(50)) and order != list(range(50))


def test_heavy_tails_of_recordings_are_tamed_and_instances_are_left_alone(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    skewed = np.exp(3 * rng.standard_normal((20, 50, 1))).astype(np.float32)
    skewed[0, 3] = np.inf
    more = {"Log": {"series": skewed[:, :, 0].reshape(-1, 1)}, "Same": {"train_X": skewed}}
    data_folder(data, **{name: {"entry": {}, **arrays} for name, arrays in more.items()})
    corpus = built(data, tmp_path / "out", only=["Log", "Same"])
    (log,) = contents(corpus, "Log")
    expected = skewed.ravel()[None].copy()
    expected[0, 3] = np.nan
    assert np.array_equal(log, tame(expected), equal_nan=True)
    assert np.nanmax(log) < 20 < np.nanmax(expected)
    same = contents(corpus, "Same")
    assert max(np.nanmax(piece) for piece in same) == np.nanmax(expected)
    assert not any(np.isinf(piece).any() for piece in same)
    assert set(corpus.pieces("Same").labels) == {-1}


def test_a_set_too_short_for_anything_is_passed_over(data: Path, tmp_path: Path) -> None:
    data_folder(data, Short={"entry": {}, "series": np.ones((15, 1))}, Just={"entry": {}, "series": np.ones((16, 1))})
    corpus = built(data, tmp_path / "out", only=["Short", "Just"])
    assert [entry.name for entry in corpus.sets] == ["Just"]


def test_the_same_seed_gives_the_same_bytes(data: Path, tmp_path: Path) -> None:
    own = csv_of(tmp_path / "own.csv", noisy_walk(200, 2, seed=1))
    folders = [tmp_path / name for name in "abc"]
    for folder, seed in zip(folders, (3, 3, 4), strict=True):
        built(data, folder, seed=seed, files=[own])
    one, again, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == again
    assert set(one) == {"corpus.json", "pieces.parquet", "shard-00000.arrow"}
    assert one["shard-00000.arrow"] != other["shard-00000.arrow"]
    assert one["corpus.json"] == other["corpus.json"]


def test_progress_is_told(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    seen: list[tuple[str, int, int]] = []
    own = csv_of(tmp_path / "own.csv", noisy_walk(200, 1, seed=1))
    chosen = planned(data, only=["Walk", "Many"], files=[own])
    build(chosen, tmp_path / "out", known=entries_of(data), progress=lambda *step: seen.append(step))
    assert seen == [("build", 1, 3), ("build", 2, 3), ("build", 3, 3)]


# Files of the user's own


def test_own_files(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recording = np.exp(3 * rng.standard_normal((2, 300)))
    equal = rng.standard_normal((9, 1, 40)).astype(np.float32)
    csv_of(tmp_path / "load.csv", recording)
    files.write(SeriesSet.from_arrays(equal), tmp_path / "beats.csv")
    corpus = built(data, tmp_path / "out", only=["Walk"], files=[tmp_path / "load.csv", tmp_path / "beats.csv"])
    facts = [(e.name, e.domain, e.channels, e.instances, e.pieces, e.source) for e in corpus.sets[1:]]
    assert facts == [("load", "own", 2, False, 1, "load.csv"), ("beats", "own", 1, True, 9, "beats.csv")]
    (load,) = contents(corpus, "load")
    assert np.allclose(load, tame(recording.round(5)), atol=1e-4)
    beats = contents(corpus, "beats")
    assert sorted(piece.tobytes() for piece in beats) == sorted(series.tobytes() for series in equal)


def test_own_files_that_cannot_be_taken(data: Path, tmp_path: Path) -> None:
    short = csv_of(tmp_path / "short.csv", noisy_walk(12, 1, seed=0))
    taken = csv_of(tmp_path / "Walk.csv", noisy_walk(50, 1, seed=0))
    for number, (path, words) in enumerate(
        [
            (short, r"short.csv: no series has 16 steps"),
            (taken, r"a set is called 'Walk' already"),
            (tmp_path / "no.csv", "no.csv"),
        ]
    ):
        with pytest.raises(InputError, match=words):
            built(data, tmp_path / f"out{number}", only=["Walk"], files=[path])


# Evaluation sets under other names


def test_a_renamed_evaluation_set_is_refused_and_nothing_is_left(data: Path, tmp_path: Path) -> None:
    judge = noisy_walk(3000, 2, seed=5)
    renamed = csv_of(tmp_path / "mine.csv", 4 - 0.5 * judge[::-1, 500:2500], offset=7)
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(InputError, match="mine.csv holds values of the evaluation set Judge"):
        corpora.build(place / "deep" / "out", only=["Walk"], files=[renamed])
    assert list(place.iterdir()) == []
    # An older corpus stays as it was.
    corpora.build(place / "out", only=["Many"])
    before = {path.name: path.read_bytes() for path in (place / "out").iterdir()}
    with pytest.raises(InputError, match="evaluation set Judge"):
        corpora.build(place / "out", only=["Walk"], files=[renamed], force=True)
    assert {path.name: path.read_bytes() for path in (place / "out").iterdir()} == before
    assert [path.name for path in place.iterdir()] == ["out"]


def test_an_evaluation_set_in_a_catalogue_of_the_users_is_refused(data: Path, tmp_path: Path) -> None:
    judge = noisy_walk(3000, 2, seed=5)
    # The very values, which the digest shows even where there is no fingerprint; and a cut of them.
    quiet = np.sin(np.arange(300.0) / 90)[:, None]
    data_folder(
        data,
        Copy={"entry": {}, "series": judge.T},
        Cut={"entry": {}, "series": judge.T[:2000]},
        Quiet={"entry": {"role": "eval"}, "series": quiet},
        Again={"entry": {}, "series": quiet},
    )
    digest = sets.load_set("Quiet", folders=(data,), known=entries_of(data)).digest
    table = (data / "catalogue.toml").read_text().replace("[Again]", f'[Quiet.content]\ndigest = "{digest}"\n[Again]')
    (data / "catalogue.toml").write_text(table)
    for number, (name, found) in enumerate((("Copy", "Judge"), ("Cut", "Judge"), ("Again", "Quiet"))):
        with pytest.raises(InputError, match=f"{name} holds values of the evaluation set {found}"):
            built(data, tmp_path / f"out{number}", only=[name])
        # The same where nobody names the catalogue.
        with pytest.raises(InputError, match=f"{name} holds values of the evaluation set {found}"):
            corpora.build(tmp_path / "out", only=[name])
        assert not (tmp_path / "out").exists()


def test_recordings_too_short_to_be_taken_are_looked_at_too(data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "SHORTEST", 5000)
    data_folder(data, Cut={"entry": {}, "series": noisy_walk(3000, 2, seed=5).T})
    with pytest.raises(InputError, match="evaluation set Judge"):
        built(data, tmp_path / "out", only=["Cut"])


def test_the_account(data: Path, tmp_path: Path) -> None:
    account = corpora.build(tmp_path / "out", seed=1)
    assert account["command"] == "corpus build"
    assert [entry["name"] for entry in account["sets"]] == sorted([*TRAINED, HELD])
    assert account["left_out"]["Priced"] == "a vendor's terms"
    assert account["domains"].keys() == {"industry", "nature", "shape", "web"}
    assert account["domains"]["nature"]["sets"] == 2
    shares = {entry["name"]: entry["share"] for entry in account["sets"]}
    assert shares[HELD] == 0 and sum(shares.values()) == pytest.approx(1)
    assert account["values"] == sum(entry["values"] for entry in account["sets"])
    assert account["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").glob("shard-*"))
    again = corpora.info(str(tmp_path / "out"))
    assert {k: v for k, v in account.items() if k in again} == again | {"command": "corpus build"}
    even = corpora.info(str(tmp_path / "out"), temperature=1e9)["domains"]
    assert [found["share"] for found in even.values()] == pytest.approx([0.25] * 4)
    for temperature in (0, -1, float("nan")):
        with pytest.raises(InputError, match="makes no sense"):
            corpora.info(str(tmp_path / "out"), temperature=temperature)


def test_taming() -> None:
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            rng.standard_normal(2000),  # mild: as it is
            np.exp(3 * rng.standard_normal(2000)),  # positive and skewed: logarithm
            rng.standard_t(1.2, 2000),  # heavy tails on both sides
            np.full(2000, 3.0),  # constant
            np.full(2000, np.nan),  # nothing
        ]
    ).astype(np.float32)
    values[0, 5] = np.nan
    before = values.copy()
    out = tame(values)
    assert np.array_equal(values, before, equal_nan=True)
    assert out.dtype == np.float32
    assert np.array_equal(out[[0, 3, 4]], values[[0, 3, 4]], equal_nan=True)
    for row in (1, 2):
        assert np.abs(out[row] - np.median(out[row])).max() / out[row].std() < 10
        # Monotone, so that the order of the values stays.
        assert (np.diff(out[row][np.argsort(values[row])]) >= 0).all()
    values[0, 6:8] = np.inf, -np.inf
    assert np.isnan(tame(values)[0, 5:8]).all()


def test_a_set_of_short_recordings_is_said_and_no_corpus_of_nothing_is_made(data: Path, tmp_path: Path) -> None:
    short = np.concatenate([noisy_walk(10, 1, seed=i)[0] for i in range(5)]).astype(np.float32)
    (data / "extra").mkdir(exist_ok=True)
    np.savez(data / "extra" / "Tiny.npz", flat=short, lengths=np.full(5, 10))
    facts = 'kind = "collection"\nseries = 5\nsteps = 50\nchannels = 1\nlicence = "x"\ncitation = "x"'
    with open(data / "catalogue.toml", "a", encoding="utf-8") as file:
        file.write(f'\n[Tiny]\nrole = "extra"\ndomain = "web"\n{facts}\n')
    known = catalogue(data)
    for only, names in ((["Tiny", "Walk"], ["Walk"]), (["Tiny"], None)):
        folder = tmp_path / "-".join(only)
        folder.mkdir()
        chosen = plan(only=only, folders=(data,), known=known)
        if names is None:
            with pytest.raises(InputError, match="nothing to store"):
                build(chosen, folder, folders=(data,), known=known)
            assert not (folder / "corpus.json").exists()
        else:
            assert [e.name for e in build(chosen, folder, folders=(data,), known=known)] == names
            assert chosen.left_out == {"Tiny": "no recording has 16 steps"}

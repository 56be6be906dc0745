"""What was written is what is read, wherever it lies and however it is cut up; damage is said, never read."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_corpus import corpus_of

from tsprout.data.corpus import writer as writer_module
from tsprout.data.corpus.store import FORMAT, Corpus, Pieces, StoredSet
from tsprout.data.corpus.writer import CorpusWriter
from tsprout.errors import InputError

# So small that every few pieces begin a new record batch, and every few batches a new shard.
TINY = {"batch_values": 300, "shard_bytes": 4000}


def noise(*shapes: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def many(count: int = 60) -> list[np.ndarray]:
    """Pieces of two channels and many lengths, one of them longer than a batch."""
    return noise(*((2, 20 + 7 * i % 90) for i in range(count)), (2, 400))


def equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Bit by bit, whatever pattern a NaN has."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("sizes", [{}, TINY, {"batch_values": 1, "shard_bytes": 1}])
def test_round_trip(tmp_path: Path, sizes: dict[str, int]) -> None:
    one, several = noise((1, 50), (1, 17), (1, 1)), many()
    one[0][0, 3:9] = np.nan
    one[0][0, 10] = -0.0
    several[4][1] = np.nan
    corpus = corpus_of(
        tmp_path,
        **sizes,
        One={"pieces": one, "domain": "web", "labels": [2, 0, -1], "instances": True, "licence": "CC0"},
        Several={"pieces": iter(several), "held_out": True, "digest": "ab", "source": "x.csv"},
    )
    assert corpus.sets == (
        StoredSet("One", "web", 1, True, 68, 3, licence="CC0"),
        StoredSet("Several", "nature", 2, False, sum(p.size for p in several), 61, "", True, "ab", "x.csv"),
    )
    for name, pieces in (("One", one), ("Several", several)):
        found = corpus.pieces(name)
        assert len(found) == len(pieces)
        assert found.steps.tolist() == [piece.shape[1] for piece in pieces]
        assert all(equal(corpus.piece(name, i), piece) for i, piece in enumerate(pieces))
    assert corpus.pieces("One").labels.tolist() == [2, 0, -1]
    assert set(corpus.pieces("Several").labels) == {-1}
    assert corpus.values == 68 + sum(p.size for p in several)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.json", "pieces.parquet", *corpus.shards]
    assert corpus.shard_bytes.tolist() == [(tmp_path / shard).stat().st_size for shard in corpus.shards]
    assert (len(corpus.shards) > 3) == bool(sizes)
    with pytest.raises(InputError, match="no set 'Two'"):
        corpus.pieces("Two")


def test_a_shard_ends_and_a_batch_ends_where_they_should(tmp_path: Path) -> None:
    import pyarrow as pa

    corpus = corpus_of(tmp_path, **TINY, A={"pieces": many()})
    pieces, values = corpus.pieces("A"), 0
    for number, shard in enumerate(corpus.shards):
        with pa.memory_map(str(tmp_path / shard)) as file:
            reader = pa.ipc.open_file(file)
            sizes = []
            for batch in range(reader.num_record_batches):
                rows = np.flatnonzero(pieces.place == (number << 32 | batch))
                sizes.append(int(2 * pieces.steps[rows].sum()))
                assert len(rows) == reader.get_batch(batch).num_rows
                assert sizes[-1] <= 300 or len(rows) == 1
                assert pieces.start[rows].tolist() == np.cumsum([0, *2 * pieces.steps[rows]])[:-1].tolist()
        # The last batch made it full, or it is the last shard.
        assert 4 * sum(sizes[:-1]) < 4000 and (4 * sum(sizes) >= 4000 or shard == corpus.shards[-1])
        values += sum(sizes)
    assert values == corpus.values
    assert (np.diff(pieces.place) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_gather_is_plain_slicing(data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 4))
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=12))
    pieces = noise(*((channels, length) for length in lengths), seed=len(lengths))
    sizes = data.draw(st.sampled_from([{}, TINY, {"batch_values": 60, "shard_bytes": 300}]))
    longest = max(lengths)
    stride = data.draw(st.integers(1, 4))
    length = data.draw(st.integers(1, max(1, (longest - 1) // stride)))
    fit = [i for i, n in enumerate(lengths) if n >= (length - 1) * stride + 1]
    chosen = data.draw(st.lists(st.sampled_from(fit), min_size=1, max_size=9))
    starts = [data.draw(st.integers(0, lengths[i] - (length - 1) * stride - 1)) for i in chosen]
    picked = data.draw(st.lists(st.integers(0, channels - 1), min_size=1, max_size=5))
    span = (length - 1) * stride + 1
    expected = [pieces[i][picked, s : s + span : stride] for i, s in zip(chosen, starts, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        # Another set first, so that batches and shards are not this set's own.
        corpus = corpus_of(Path(folder), **sizes, Other={"pieces": noise((3, 7))}, A={"pieces": pieces})
        found = corpus.gather(corpus.pieces("A"), np.array(chosen), np.array(picked), np.array(starts), length, stride)
        assert found.shape == (len(chosen), len(picked), length)
        assert np.array_equal(found, expected)


def test_what_is_gathered_is_a_copy(tmp_path: Path) -> None:
    pieces = noise((1, 30))
    corpus = corpus_of(tmp_path, A={"pieces": pieces})
    corpus.piece("A", 0)[:] = 0
    assert equal(corpus.piece("A", 0), pieces[0])


def test_any_arrow_tool_can_read_it(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces = many(12)
    corpus = corpus_of(tmp_path, **TINY, A={"pieces": pieces, "labels": range(13)})
    rows = []
    for shard in corpus.shards:
        table = pa.ipc.open_file(tmp_path / shard).read_all()
        assert table.schema == pa.schema([("values", pa.large_list(pa.float32()))])
        rows += table["values"].to_pylist()
    assert all(np.array_equal(np.float32(row), piece.ravel()) for row, piece in zip(rows, pieces, strict=True))
    index = pq.read_table(tmp_path / "pieces.parquet")
    assert index.column_names == ["set", "shard", "batch", "start", "steps", "label", "level", "scale"]
    assert index["steps"].to_pylist() == [piece.shape[1] for piece in pieces]
    assert index["label"].to_pylist() == list(range(13))
    assert set(index["set"].to_pylist()) == {0}
    assert len(index["level"][0]) == 2
    assert json.loads((tmp_path / "corpus.json").read_text())["format"] == FORMAT


def test_level_and_scale_are_of_the_observed_cells(tmp_path: Path) -> None:
    piece = np.array([[1, 3, np.nan, 5], [7, 7, 7, 7], [np.nan] * 4], np.float32)
    shifted = np.concatenate([noise((2, 500))[0] + 1e4, np.zeros((1, 500), np.float32)])
    found = corpus_of(tmp_path, A={"pieces": [piece, shifted]}).pieces("A")
    assert found.level[0] == pytest.approx([3, 7, 0])
    assert found.scale[0] == pytest.approx([np.sqrt(8 / 3), 1, 1])
    assert found.level[1] == pytest.approx(shifted.mean(axis=1, dtype=float), rel=1e-6)
    assert found.scale[1, :2] == pytest.approx(shifted[:2].std(axis=1, dtype=float), rel=1e-5)
    assert found.level.dtype == found.scale.dtype == np.float32


def test_pieces_by_length() -> None:
    steps = np.array([5, 9, 5, 12, 1])
    blank = np.zeros(5, int)
    pieces = Pieces(steps, blank, blank, blank, np.zeros((5, 1)), np.ones((5, 1)))
    assert pieces.by_length.tolist() == [3, 1, 0, 2, 4]
    assert pieces.cumulative.tolist() == [12, 21, 26, 31, 32]
    for least in range(14):
        assert pieces.at_least(least) == (steps >= least).sum()


def test_many_rows_are_read_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The index is written in several row groups.
    monkeypatch.setattr(writer_module, "_ROWS", 7)
    pieces = many(40)
    corpus = corpus_of(tmp_path, A={"pieces": pieces}, B={"pieces": pieces[:3]})
    for name in "AB":
        count = len(corpus.pieces(name))
        assert all(equal(corpus.piece(name, i), pieces[i]) for i in range(count))
        assert corpus.pieces(name).level[:, 0] == pytest.approx([p[0].mean() for p in pieces[:count]], abs=1e-6)


def test_long_pieces_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "PIECE_VALUES", 100)
    pieces = noise((3, 70), (3, 33), (3, 34))
    corpus = corpus_of(tmp_path, A={"pieces": pieces, "labels": [0, 1, 2]})
    found = corpus.pieces("A")
    assert found.steps.tolist() == [33, 33, 4, 33, 33, 1]
    assert found.labels.tolist() == [0, 0, 0, 1, 2, 2]
    assert equal(np.concatenate([corpus.piece("A", i) for i in range(3)], axis=1), pieces[0])
    assert corpus.sets[0].pieces == 6 and corpus.sets[0].values == sum(p.size for p in pieces)


# Bounded memory, other places, other processes


def test_no_more_than_the_limit_stays_mapped(tmp_path: Path) -> None:
    pieces = many()
    whole = corpus_of(tmp_path, **TINY, A={"pieces": pieces})
    size = int(whole.shard_bytes.max())
    for limit, least in ((3 * size, 2), (0, 1)):
        corpus = Corpus(tmp_path, mapped=limit)
        most = 0
        for i in np.random.default_rng(0).integers(0, len(pieces), 200):
            assert equal(corpus.piece("A", i), pieces[i])
            mapped = sum(int(corpus.shard_bytes[shard]) for shard in corpus._open)
            assert mapped <= limit or len(corpus._open) == 1
            most = max(most, len(corpus._open))
        assert least <= most < len(corpus.shards)
    for i in range(len(pieces)):
        whole.piece("A", i)
    assert len(whole._open) == len(whole.shards)


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, batch_values=1, shard_bytes=1, A={"pieces": noise(*[(1, 50)] * 4)})
    corpus.mapped = 2 * int(corpus.shard_bytes[0])
    for number in (0, 1, 0, 2):
        corpus.piece("A", number)
    assert list(corpus._open) == [0, 2]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """Copy a folder to a place that is not a file system of this machine; gives its address."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")

    def copied(folder: Path, name: str = "corpus") -> str:
        for path in folder.iterdir():
            memory.pipe_file(f"/{tmp_path.name}/{name}/{path.name}", path.read_bytes())
        return f"memory://{tmp_path.name}/{name}"

    yield copied
    if memory.exists(f"/{tmp_path.name}"):
        memory.rm(f"/{tmp_path.name}", recursive=True)


def test_elsewhere_it_is_the_same_and_little_is_kept(tmp_path: Path, elsewhere: Callable[..., str]) -> None:
    pieces = many()
    corpus_of(tmp_path, **TINY, A={"pieces": pieces})
    url = elsewhere(tmp_path)
    shutil.rmtree(tmp_path)
    corpus = Corpus(url, mapped=4000)
    assert corpus.remote and url in repr(corpus)
    most = 0
    for i in np.random.default_rng(0).integers(0, len(pieces), 200):
        assert equal(corpus.piece("A", i), pieces[i])
        held = sum(values.nbytes for values in corpus._open.values())
        assert held <= 4000
        most = max(most, held)
    assert most > 2000
    again = pickle.loads(pickle.dumps(Corpus(url + "/")))
    assert equal(again.piece("A", 3), pieces[3])


def test_a_batch_is_fetched_once_while_it_is_kept(tmp_path: Path, elsewhere: Callable[..., str]) -> None:
    corpus_of(tmp_path, A={"pieces": noise(*[(1, 50)] * 9)})
    corpus, fetched = Corpus(elsewhere(tmp_path)), []
    plain = corpus._fetch
    corpus._fetch = lambda *place: fetched.append(place) or plain(*place)  # type: ignore[method-assign, func-returns-value]
    for number in range(9):
        corpus.piece("A", number)
    assert fetched == [(0, 0)]


def test_a_pickled_corpus_is_opened_anew(tmp_path: Path) -> None:
    pieces = many()
    corpus = corpus_of(tmp_path, **TINY, mapped=5000, A={"pieces": pieces})
    corpus.piece("A", 0)
    packed = pickle.dumps(corpus)
    assert len(packed) < 500
    again = pickle.loads(packed)
    assert (again.path, again.mapped, again.sets) == (corpus.path, 5000, corpus.sets)
    assert not again._open
    assert all(equal(again.piece("A", i), piece) for i, piece in enumerate(pieces))


# What is wrong is said


def test_there_is_no_corpus(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere", "memory://nowhere/at/all", "nosuch://place"):
        with pytest.raises(InputError, match="there is no corpus") as caught:
            Corpus(place)
        assert "tsprout corpus build" in str(caught.value) and str(place) in str(caught.value)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    corpus_of(tmp_path, A={"pieces": noise((1, 30))})
    index = json.loads((tmp_path / "corpus.json").read_text())
    (tmp_path / "corpus.json").write_text(json.dumps(index | {"format": FORMAT + 1, "sets": "otherwise"}))
    with pytest.raises(InputError, match=f"format {FORMAT + 1}, this version reads {FORMAT}"):
        Corpus(tmp_path)


def _without(key: str) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({k: v for k, v in json.loads(content).items() if k != key}).encode()


def _flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("corpus.json", lambda content: content[:-30]),
        ("corpus.json", lambda content: b"\xff\xfe\x00"),
        ("corpus.json", lambda content: b"[1, 2]"),
        ("corpus.json", lambda content: content.replace(b'"channels"', b'"canals"')),
        ("corpus.json", lambda content: content.replace(b'"pieces": 3', b'"pieces": 4')),
        ("corpus.json", lambda content: content.replace(b'"pieces": 3', b'"pieces": 2')),
        ("corpus.json", lambda content: content.replace(b'"channels": 2', b'"channels": 1')),
        ("corpus.json", _without("format")),
        ("corpus.json", _without("sets")),
        ("corpus.json", _without("shards")),
        ("pieces.parquet", lambda content: content[:-1]),
        ("pieces.parquet", lambda content: b""),
        ("pieces.parquet", _flipped(4)),
        ("pieces.parquet", _flipped(60)),
        ("pieces.parquet", _flipped(-20)),
        ("shard-00000.arrow", lambda content: content[: len(content) // 2]),
        ("shard-00000.arrow", lambda content: content[:-1]),
        ("shard-00000.arrow", lambda content: b""),
        ("shard-00000.arrow", _flipped(-3)),
        ("shard-00000.arrow", None),
        ("pieces.parquet", None),
    ],
)
def test_damage_is_said(
    tmp_path: Path, elsewhere: Callable[..., str], name: str, damage: Callable[[bytes], bytes] | None
) -> None:
    corpus_of(tmp_path, A={"pieces": noise((2, 30), (2, 40), (2, 50))})
    path = tmp_path / name
    if damage is None:
        path.unlink()
    else:
        before = path.read_bytes()
        path.write_bytes(damage(before))
        assert path.read_bytes() != before
    for place in (tmp_path, elsewhere(tmp_path)):
        with pytest.raises(InputError, match="damaged|cannot be read") as caught:
            Corpus(place).piece("A", 0)
        assert name in str(caught.value) and str(place) in str(caught.value)
        assert "tsprout corpus build" in str(caught.value)


@pytest.mark.parametrize("at", range(195, 360, 13))
def test_a_shard_of_which_a_byte_has_changed_is_read_or_refused(tmp_path: Path, at: int) -> None:
    corpus_of(tmp_path, A={"pieces": noise((2, 50))})
    path = tmp_path / "shard-00000.arrow"
    path.write_bytes(_flipped(at)(path.read_bytes()))
    with suppress(InputError):
        assert Corpus(tmp_path).piece("A", 0).shape == (2, 50)


# The writer


def test_what_the_writer_refuses(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path) as writer:
        writer.add("A", noise((1, 20)), domain="web", instances=False)
        with pytest.raises(InputError, match="two sets are called 'A'"):
            writer.add("A", noise((1, 20)), domain="web", instances=False)
        for empty in ([], [np.empty((2, 0))]):
            with pytest.raises(InputError, match="'B' has no series"):
                writer.add("B", empty, domain="web", instances=False)
        writer.add("B", noise((2, 20)), domain="web", instances=False)
    assert [entry.name for entry in Corpus(tmp_path).sets] == ["A", "B"]


def test_a_writer_that_fails_leaves_no_corpus(tmp_path: Path) -> None:
    def breaking() -> Any:
        yield from many(30)
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        corpus_of(tmp_path / "a", **TINY, A={"pieces": many(20)}, B={"pieces": breaking()})
    with pytest.raises(InputError, match="'A' have 2 channels, and one has 3"):
        corpus_of(tmp_path / "b", **TINY, A={"pieces": [*many(20), *noise((3, 20))]})
    for name in "ab":
        assert list((tmp_path / name).glob("shard-*"))
        assert not (tmp_path / name / "corpus.json").exists()
        with pytest.raises(InputError, match="there is no corpus"):
            Corpus(tmp_path / name)


def test_a_set_that_was_refused_half_way_cannot_be_taken_for_another(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path) as writer:
        with pytest.raises(InputError, match="channels"):
            writer.add("A", noise((1, 20), (2, 20)), domain="web", instances=False)
        writer.add("B", noise((2, 20)), domain="web", instances=False)
    with pytest.raises(InputError, match="damaged"):
        Corpus(tmp_path)


def test_a_corpus_of_nothing(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    assert corpus.sets == () and corpus.values == 0 and corpus.shards == ()

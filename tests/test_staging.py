"""Outputs appear whole or not at all, and nobody's files are lost."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tsprout import staging
from tsprout.errors import InputError, TsproutError
from tsprout.staging import (
    check_file,
    check_folder,
    check_space,
    from_os_error,
    is_partial,
    readable_bytes,
    staged_folder,
    write_file,
)

OURS = ("*.json",)


def test_a_folder_that_the_system_does_not_make_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))  # as in /proc

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match="the folder cannot be made"), staged_folder(tmp_path / "a" / "b", OURS):
        pytest.fail("there is no folder to write into")


def write_old(folder: Path) -> Path:
    folder.mkdir()
    (folder / "summary.json").write_text("old")
    return folder


def test_folder_appears_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out"
    with staged_folder(out, OURS) as folder:
        (folder / "summary.json").write_text("new")
        assert not out.exists()
    assert (out / "summary.json").read_text() == "new"
    assert os.listdir(out.parent) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), staged_folder(tmp_path / "a" / "b" / "out", OURS) as folder:
        (folder / "summary.json").write_text("half")
        raise error
    assert os.listdir(tmp_path) == []


def test_cleaning_up_keeps_what_others_put_there_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(ValueError), staged_folder(tmp_path / "a" / "out", OURS):
        (tmp_path / "a" / "theirs").write_text("x")
        raise ValueError
    assert os.listdir(tmp_path / "a") == ["theirs"]


def test_force_keeps_the_old_until_the_new_is_complete(tmp_path: Path) -> None:
    out = write_old(tmp_path / "out")
    with pytest.raises(ValueError), staged_folder(out, OURS, force=True):
        raise ValueError
    assert (out / "summary.json").read_text() == "old"
    with staged_folder(out, OURS, force=True) as folder:
        (folder / "new.json").write_text("new")
        assert (out / "summary.json").read_text() == "old"
    assert os.listdir(out) == ["new.json"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_swap_that_fails_puts_the_old_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_old(tmp_path / "out")
    real_rename = os.rename

    def rename(source: Any, target: Any) -> None:
        if Path(target) == out and "old" not in Path(source).name:
            raise OSError(errno.EIO, "input/output error")
        real_rename(source, target)

    monkeypatch.setattr(staging.os, "rename", rename)
    with pytest.raises(OSError, match="input/output"), staged_folder(out, OURS, force=True):
        pass
    assert (out / "summary.json").read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_existing_folder_is_refused_without_force(tmp_path: Path) -> None:
    out = write_old(tmp_path / "out")
    with pytest.raises(InputError, match="exists") as caught:
        check_folder(out, OURS)
    assert "force=True" in str(caught.value.fix)


def test_force_never_replaces_files_of_others(tmp_path: Path) -> None:
    out = write_old(tmp_path / "out")
    for name in ("a.csv", "b.csv", "c.csv", "thesis.doc"):
        (out / name).write_text("precious")
    with pytest.raises(InputError, match=r"a\.csv, b\.csv, c\.csv and 1 more"):
        check_folder(out, OURS, force=True)
    assert (out / "thesis.doc").exists()


@pytest.mark.parametrize("force", [False, True])
def test_what_came_meanwhile_is_not_replaced(tmp_path: Path, force: bool) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError) as caught, staged_folder(out, OURS, force=force) as folder:
        (folder / "summary.json").write_text("new")
        out.mkdir()
        (out / "thesis.tex").write_text("years")
    assert (out / "thesis.tex").read_text() == "years"
    first, second = sorted(tmp_path.iterdir())
    assert first == out and (second / "summary.json").read_text() == "new"
    assert caught.value.fix == f"What was made is in {second}."


def test_what_anybody_has_does_not_make_a_folder_ours(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"README\.md"):
        check_folder(tmp_path, (*OURS, "README.md"), force=True)
    (tmp_path / "summary.json").write_text("ours")
    check_folder(tmp_path, (*OURS, "README.md"), force=True)
    (tmp_path / "more.json").mkdir()
    with pytest.raises(InputError, match=r"more\.json"):
        check_folder(tmp_path, (*OURS, "README.md"), force=True)


def test_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        check_folder(tmp_path / "file", OURS, force=True)
    with pytest.raises(InputError, match="leads through a file"):
        check_folder(tmp_path / "file" / "out", OURS)


def test_file_checks(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert check_file(target) == target
    target.write_text("x")
    with pytest.raises(InputError, match="exists"):
        check_file(target)
    assert check_file(target, force=True) == target
    with pytest.raises(InputError, match="folder"):
        check_file(tmp_path, force=True)
    with pytest.raises(InputError, match="does not exist"):
        check_file(tmp_path / "none" / "out.csv")


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging.os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written"):
        check_file(tmp_path / "out.csv")
    with pytest.raises(InputError, match="cannot be written"):
        check_folder(tmp_path / "out", OURS)


def test_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_space(tmp_path / "a" / "b" / "out.csv", 1)
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 5, 5))
    with pytest.raises(InputError, match=r"at least 6 B, and 5 B are free"):
        check_space(tmp_path / "out.csv", 6)


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, TsproutError, "no space left"),
        (errno.EDQUOT, TsproutError, "no space left"),
        (errno.EACCES, InputError, "permission denied"),
        (errno.EROFS, InputError, "permission denied"),
        (errno.ENOENT, InputError, "no such file"),
        (errno.EISDIR, InputError, "directory"),
        (errno.ENAMETOOLONG, InputError, "cannot be used"),
        (errno.EIO, TsproutError, "nput/output"),
    ],
)
def test_what_the_system_refuses_becomes_an_error_to_act_on(number: int, kind: type, words: str) -> None:
    error = from_os_error(OSError(number, os.strerror(number), "some/file"))
    assert type(error) is kind
    assert words in error.what
    assert error.where == "some/file"
    assert from_os_error(OSError(number, os.strerror(number)), "place").where == "place"


def test_readable_bytes() -> None:
    assert [readable_bytes(size) for size in (12, 1500, 2.5e6, 3e9, 4e12)] == [
        "12 B",
        "1.5 kB",
        "2.5 MB",
        "3.0 GB",
        "4.0 TB",
    ]


def test_tidying_up_is_not_interrupted_and_works_in_any_thread(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with staging._uninterrupted():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is before

    def work() -> None:
        with staged_folder(tmp_path / "out", OURS):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (tmp_path / "out").is_dir()


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "new" / "a.txt"
    assert write_file(place, "eins\nzwei ä\n", sync=True) == place
    assert place.read_bytes() == "eins\nzwei ä\n".encode()

    def half(file: Any) -> None:
        file.write(b"half")
        assert [is_partial(path.name, "a.txt") for path in place.parent.iterdir() if path != place] == [True]
        raise ValueError

    with pytest.raises(ValueError):
        write_file(place, half)
    assert os.listdir(place.parent) == ["a.txt"] and place.read_text("utf-8").startswith("eins")
    values = np.arange(3)
    write_file(place, lambda file: np.save(file, values))
    assert np.array_equal(np.load(place, allow_pickle=False), values)
    assert os.listdir(place.parent) == ["a.txt"]  # numpy has added no .npy
    assert not is_partial("a.txt") and not is_partial(".b.txt.1234.partial", "a.txt")


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(InputError):
        write_file(tmp_path / "file" / "inside", "new")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(staging.os, "fsync", full)
    with pytest.raises(TsproutError, match="no space left"):
        write_file(tmp_path / "file", "new", sync=True)
    assert (tmp_path / "file").read_text() == "old" and os.listdir(tmp_path) == ["file"]

"""A folder is held by one run, however the one before it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tsprout import locks
from tsprout.errors import InputError
from tsprout.locks import alone

ROOT = Path(__file__).resolve().parent.parent
HOLDER = """
import os, sys, time
from pathlib import Path
from tsprout.locks import alone
with alone(Path(sys.argv[1])):
    # As a worker that draws ahead is; it lets go of what it got with the fork when it begins, not a moment before.
    if len(sys.argv) > 2 and os.fork():
        time.sleep(60)
    print("held", flush=True)
    time.sleep(60)
"""
pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="no flock here")


def holder(folder: Path, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *more],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("more", [(), ("and fork",)], ids=["alone", "with a child that outlives it"])
def test_a_killed_holder_leaves_no_lock(tmp_path: Path, more: tuple[str, ...]) -> None:
    process = holder(tmp_path, *more)
    try:
        with pytest.raises(InputError, match="another run is at work") as caught, alone(tmp_path):
            pass
        assert str(tmp_path) in str(caught.value.where) and caught.value.fix
        process.kill()
        process.wait(10)
        assert os.listdir(tmp_path) == [".running"]  # what it left is only a file
        with alone(tmp_path):
            pass
        assert os.listdir(tmp_path) == []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def test_it_is_given_up_after_an_error_and_held_within_one_process(tmp_path: Path) -> None:
    with pytest.raises(ValueError), alone(tmp_path):
        with pytest.raises(InputError, match="another run"), alone(tmp_path):
            pass
        raise ValueError
    with alone(tmp_path, "other"), alone(tmp_path):
        assert sorted(os.listdir(tmp_path)) == [".running", "other"]


def test_a_lock_that_was_removed_locks_out_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, taken = locks.fcntl.flock, []

    def late(file: int, how: int) -> None:
        taken.append(file)
        if len(taken) == 1:  # whoever held it before gives it up at this moment
            (tmp_path / ".running").unlink()
        plain(file, how)

    monkeypatch.setattr(locks.fcntl, "flock", late)
    with alone(tmp_path):
        assert len(taken) == 2 and (tmp_path / ".running").exists()


def test_a_disk_without_locks_and_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such"), alone(tmp_path / "nowhere"):
        pass

    def refuse(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    begun = time.monotonic()
    with alone(tmp_path):
        pass
    assert time.monotonic() - begun < 5


def test_of_two_that_find_a_stale_mark_one_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    first, second, third = (locks.Lock(tmp_path / "set.npz", wait=lambda _: pytest.fail("waited")) for _ in range(3))
    first.mark.write_text("of one that died")
    os.utime(first.mark, (0, 0))
    looked = locks._is_stale

    def late(mark: Path) -> bool:
        # The second has looked when the first one takes over, and moves away what is the first one's by now.
        found = looked(mark)
        if mark == second.mark and found:
            monkeypatch.setattr(locks, "_is_stale", looked)
            first.acquire()
        return found

    monkeypatch.setattr(locks, "_is_stale", late)
    assert not second._mark()
    assert first.mark.read_text() == first.token
    second.release()
    assert first.mark.exists(), "what another holds is not removed"
    first.release()
    assert [path.name for path in tmp_path.iterdir()] == []
    third.acquire()
    third.release()


def test_a_long_silent_holder_shows_that_it_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "STALE", 0.5)
    lock = locks.Lock(tmp_path / "x")
    with lock:
        begun = lock.mark.stat().st_mtime
        time.sleep(0.6)
        assert lock.mark.stat().st_mtime > begun
    assert not lock.mark.exists()
    with lock:
        assert lock.mark.exists()
    assert not lock.mark.exists()

"""Methods of other libraries: what goes to and fro between two processes, and everything that can go wrong there."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from baselines.cases import waves
from baselines.fake_library import FakePeer, register

from tsprout import cli
from tsprout.baselines import _library, get, load, names
from tsprout.baselines._library import LibraryBaseline
from tsprout.errors import InputError, MissingExtraError, TsproutError
from tsprout.series import SeriesSet

REAL = SeriesSet.from_arrays(waves(5, 2, 10))
PEERS = ["par", "dgan", "ydata-timegan", "tsgm-vae"]
VARIABLE = "TSPROUT_PEER_FAKE_PEER_PYTHON"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No environments of libraries, and temporary folders where they can be counted."""
    for name in (*PEERS, "fake-peer"):
        monkeypatch.delenv(f"TSPROUT_PEER_{name.upper().replace('-', '_')}_PYTHON", raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def test_progress_seed_and_version_come_through() -> None:
    told: list[tuple[str, int, int]] = []
    fitted = FakePeer(epochs=3).fit(REAL, seed=1, progress=lambda *at: told.append(at))
    assert told == [("fit", 1, 3), ("fit", 2, 3), ("fit", 3, 3)]
    assert f"numpy {np.__version__}" in fitted.notes[0], "and not what the library printed"
    state = fitted._arrays()
    again, other = FakePeer(epochs=3).fit(REAL, seed=1)._arrays(), FakePeer(epochs=3).fit(REAL, seed=2)._arrays()
    assert (again["0.mean"] == state["0.mean"]).all()
    assert (other["0.mean"] != state["0.mean"]).all()


def test_threads_are_those_of_this_process() -> None:
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert FakePeer().fit(REAL, seed=1)._arrays()["0.threads"] == 3
    finally:
        torch.set_num_threads(before)


def test_values_are_drawn_in_units() -> None:
    """The library sees each channel from -1 to 1: its unit noise, brought back, is half a channel's range."""
    drawn = FakePeer().fit(REAL, seed=0).sample(400, seed=0).values
    half = np.ptp(REAL.values, axis=(0, 2)) / 2
    np.testing.assert_allclose((drawn - REAL.values.mean(axis=0)).std(axis=(0, 2)) / half, 1, rtol=0.1)


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        ("raises", TsproutError, "numpy failed: ValueError: the loss is not finite"),
        ("lacks", MissingExtraError, "No module named 'tsprout_has_never_heard_of_it'"),
        ("killed", TsproutError, "killed by signal 9"),
        ("leaves", TsproutError, "status 7.*\n.*out of luck"),
        ("pickles", TsproutError, "cannot be read"),
    ],
)
def test_a_library_that_fails(trouble: str, kind: type[TsproutError], words: str) -> None:
    baseline = FakePeer(trouble=trouble)
    with pytest.raises(kind, match=re.compile(words, re.DOTALL)) as caught:
        baseline.fit(REAL, seed=0)
    assert caught.value.fix
    assert isinstance(caught.value, InputError) == (kind is MissingExtraError), "a failure is not the user's input"
    assert baseline.shots is None
    assert not os.listdir(tempfile.gettempdir()), "nothing is left behind"


@pytest.mark.parametrize(("trouble", "words"), [("short", "shape"), ("nan", "not finite")])
def test_what_is_drawn_is_looked_at(trouble: str, words: str) -> None:
    fitted = FakePeer(trouble=trouble).fit(REAL, seed=0)
    with pytest.raises(TsproutError, match=words):
        fitted.sample(2, seed=0)


def test_weights_that_do_not_fit_are_an_error_in_words(tmp_path: Path) -> None:
    fitted = FakePeer().fit(REAL, seed=0)
    fitted._parts[0]._learnt = {"other": np.zeros(3)}  # type: ignore[attr-defined]
    with pytest.raises(TsproutError, match="numpy failed: KeyError"):
        fitted.sample(1, seed=0)


def test_stopped_from_outside_nothing_stays(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    place = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        FakePeer(trouble=f"hangs {place}").fit(REAL, seed=0, progress=stop)
    assert gone(int(place.read_text(encoding="utf-8")), seconds=0)
    assert not os.listdir(tempfile.gettempdir())


HOST = """
import sys
from baselines.fake_library import FakePeer
from baselines.test_library import REAL
FakePeer(trouble="hangs " + sys.argv[1]).fit(REAL, seed=0)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs the signals of a POSIX system")
def test_the_process_outlives_nobody(tmp_path: Path) -> None:
    place, roots = tmp_path / "pid", [Path(__file__).parents[1], Path(__file__).parents[2]]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, roots))}
    host = subprocess.Popen([sys.executable, "-c", HOST, str(place)], env=env)
    try:
        until = time.monotonic() + 60
        while not (place.exists() and place.read_text(encoding="utf-8")):
            assert host.poll() is None and time.monotonic() < until
            time.sleep(0.05)
    finally:
        host.kill()
        host.wait()
    assert gone(int(place.read_text(encoding="utf-8")), seconds=20)


def gone(pid: int, seconds: float) -> bool:
    """Whether a process has ended, or does within so many seconds."""
    until = time.monotonic() + seconds
    while True:
        done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if done.stdout.strip() in ("", "Z", "Zs", "Zl"):
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)


def test_which_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FakePeer.interpreter() == sys.executable
    for given in (tmp_path / "nothing", tmp_path, "no-such-python"):
        monkeypatch.setenv(VARIABLE, str(given))
        assert "no Python" in str(FakePeer.lacks())
        with pytest.raises(InputError, match=VARIABLE) as caught:
            FakePeer().fit(REAL, seed=0)
        assert caught.value.fix
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "env"))
    assert FakePeer.interpreter() == str(tmp_path / "env" / "bin" / "python"), "an environment is told by its path"


def test_a_python_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "env"))
    assert FakePeer.lacks() is None, "which cannot be known without starting it"
    with pytest.raises(MissingExtraError, match="No module named 'numpy'") as caught:
        FakePeer().fit(REAL, seed=0)
    assert VARIABLE in str(caught.value.fix)


def test_another_python_is_not_led_into_our_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "PYTHONPATH" not in _library._environment("/other/python")
    assert _library._environment(sys.executable)["PYTHONPATH"] == "/ours"
    assert _library._environment(sys.executable)["CUDA_VISIBLE_DEVICES"] == ""


def test_a_fitted_one_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    FakePeer().fit(REAL, seed=0).save(tmp_path / "fitted")
    monkeypatch.setattr(FakePeer, "library", "tsprout_has_never_heard_of_it")
    back = load(tmp_path / "fitted")
    with pytest.raises(MissingExtraError, match="needs the library numpy"):
        back.sample(1, seed=0)


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_has_its_pinned_requirements(name: str) -> None:
    assert name in names()
    kind = get(name)
    assert issubclass(kind, LibraryBaseline)
    assert kind.licence and kind.module.is_file() and kind.module.parent == _library.PEERS
    lines = kind.module.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert any(line.startswith(f"{kind.package}==") for line in pins)
    assert f'PACKAGE = "{kind.package}"' in kind.module.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="is 0"):
        kind(**{"epochs" if hasattr(kind, "epochs") else "steps": 0})


@pytest.mark.parametrize("name", PEERS)
def test_an_absent_peer_is_refused_before_any_work(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    kind = get(name)
    assert issubclass(kind, LibraryBaseline)
    if importlib.util.find_spec(kind.library) is not None:
        pytest.skip(f"{kind.package} is installed here")
    assert cli.main(["run", "absent.csv", "-o", "out", "--model", name]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"needs the library {kind.package}" in said
    assert f"{kind.module.stem}.txt" in said and kind.variable() in said
    assert cli.main(["models"]) == 0
    assert f"{name} needs {kind.package}" in " ".join(capsys.readouterr().out.split())

"""The demonstration's recording reaches every user, and the command it shows is the one it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tsprout import cli, demo


def test_recording(tmp_path: Path) -> None:
    path = demo.write_recording(tmp_path / "deep" / "eeg.csv")
    table = np.genfromtxt(path, delimiter=",", names=True)
    assert table.dtype.names == ("time", *demo.CHANNELS)
    assert table.shape == (demo.SAMPLES,)
    assert table["time"][-1] == pytest.approx(9.9875)
    for channel in demo.CHANNELS:
        assert 0.9 < table[channel].std() < 1.1


def test_main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda argv: calls.append(argv) or 0)
    assert demo.main([str(tmp_path)]) == 0
    (command,) = calls
    assert command[:2] == ["run", str(tmp_path / "eeg.csv")]
    assert Path(command[1]).is_file()
    assert capsys.readouterr().out.strip() == "$ tsprout " + " ".join(command)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["demo"])
    assert demo.main() == 0
    assert (tmp_path / "demo" / "eeg.csv").is_file()


def test_a_matplotlib_without_samples(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from matplotlib import cbook

    def missing(name: str, asfileobj: bool) -> str:
        return "/no/such/file"

    monkeypatch.setattr(cbook, "get_sample_data", missing)
    assert demo.main(["unused"]) == 2
    assert "without its EEG sample" in capsys.readouterr().err

"""A SLURM of one machine for tests: ``sbatch``, ``srun``, ``sacct`` and ``scancel`` that run batch files here."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

_PROGRAM = r"""#!PYTHON
import os, pathlib, re, signal, subprocess, sys
home = pathlib.Path(os.environ["FAKE_SLURM"])
name, given = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
state = lambda number: home / (number + ".state")
if name == "sbatch":
    if (home / "refuse").exists():
        sys.exit("sbatch: error: invalid partition specified")
    number = str(1 + len(list(home.glob("*.state"))))
    text = pathlib.Path(given[0]).read_text()
    (home / (number + ".sh")).write_text(text)
    state(number).write_text("RUNNING")
    body = f"bash {home}/{number}.sh && s=COMPLETED || s=FAILED; "
    body += f"grep -q RUNNING {state(number)} && echo $s >{state(number)}"
    own = dict(os.environ, SLURM_JOB_ID=number)
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        ["bash", "-c", body], env=own, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing
    )
    (home / (number + ".pid")).write_text(str(process.pid))
    print("Submitted batch job " + number)
elif name == "srun":
    assert given[0] == "--unbuffered" and given[1] == "--output" and given[3] == "--error"
    out, err = (open(place.replace("%j", os.environ["SLURM_JOB_ID"]).replace("%t", "0"), "a") for place in given[2:5:2])
    sys.exit(subprocess.call(given[5:], stdout=out, stderr=err))
elif name == "sacct":
    print("JobID|State|NodeList")
    for number in given[given.index("-j") :]:
        if number != "-j" and state(number).exists():
            print(f"{number}|{state(number).read_text().strip()}|here")
else:
    for number in given:
        if number.isdigit():
            state(number).write_text("CANCELLED")
            try:
                os.killpg(int((home / (number + ".pid")).read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass
"""


def install_slurm(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the four programs on the path; ``home`` holds ``<number>.state``, ``.sh`` and ``.pid`` of every job."""
    home.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        program = home / name
        program.write_text(_PROGRAM.replace("PYTHON", sys.executable), encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("FAKE_SLURM", str(home))
    monkeypatch.setenv("PATH", f"{home}{os.pathsep}{os.environ['PATH']}")


def lose(home: Path, number: str, state: str) -> None:
    """End a job as SLURM does when its machine is lost, or its time is over."""
    (home / f"{number}.state").write_text(state)
    os.killpg(int((home / f"{number}.pid").read_text()), signal.SIGKILL)

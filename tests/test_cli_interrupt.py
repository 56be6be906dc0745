"""Ctrl-C and termination, for real: a process of its own is stopped in the middle and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCRIPT = """
import sys, time

sys.path[:0] = [{tests!r}, {root!r}]
import fake_sprout

def before_batch(done):
    if done:
        print("in the middle", flush=True)
        time.sleep(60)

fake_sprout.FakeSprout.before_batch = staticmethod(before_batch)
import tsprout.synthesizer
tsprout.synthesizer.Sprout = fake_sprout.FakeSprout
from tsprout.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle(tmp_path: Path, number: signal.Signals, code: int) -> None:
    lines = ["id,time,x", *(f"{series},{step},{series * step % 7}" for series in range(6) for step in range(12))]
    source = tmp_path / "real.csv"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    place = tmp_path / "place"
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(tests=str(HERE), root=str(HERE.parent)), "run", str(source)]
        + ["-n", "500", "-o", "out"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "in the middle" in line:
                break
        assert os.listdir(place)  # it works in a hidden folder beside the output
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert os.listdir(place) == []

"""The demonstration behind ``make demo``: a thousand synthetic EEG windows from ten seconds of a real recording.

The recording reaches every user with matplotlib, which bundles it as sample data: four channels of a human
electroencephalogram, 800 samples in 10 s, as raw float64. It is written as an ordinary CSV first, so that the
demonstration is the very command that a user would give for a file of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tsprout.errors import InputError

CHANNELS = ("PG3", "PG5", "PG7", "PG9")
SAMPLES = 800
SECONDS = 10
WINDOW = 40
OPTIONS = ("--window", str(WINDOW), "-n", "1000", "--budget", "30s", "--force")


def write_recording(path: Path) -> Path:
    """Write matplotlib's EEG recording as a CSV with a ``time`` column (s) and a column for each channel.

    Raises:
        InputError: this matplotlib comes without its sample data.
    """
    import numpy as np
    from matplotlib import cbook

    try:
        sample = Path(str(cbook.get_sample_data("eeg.dat", asfileobj=False)))
        recording = np.frombuffer(sample.read_bytes(), dtype="<f8").reshape(SAMPLES, len(CHANNELS))
    except (OSError, ValueError) as error:
        raise InputError(
            "this matplotlib comes without its EEG sample", fix="Install matplotlib with pip, or use a file of yours."
        ) from error
    lines = [",".join(("time", *CHANNELS))]
    for step, row in enumerate(recording):
        lines.append(",".join(f"{value:.6g}" for value in (step * SECONDS / SAMPLES, *row)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main(argv: list[str] | None = None) -> int:
    """Write the recording into a folder (``demo`` where none is named) and run ``tsprout run`` on it."""
    from tsprout import cli

    given = sys.argv[1:] if argv is None else argv
    folder = Path(given[0] if given else "demo")
    try:
        recording = write_recording(folder / "eeg.csv")
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    command = ["run", str(recording), *OPTIONS, "-o", str(folder / "result")]
    print("$ tsprout " + " ".join(command), flush=True)
    return cli.main(command)


if __name__ == "__main__":
    sys.exit(main())

"""``import tsprout`` and ``tsprout --help`` cost nothing: none of the heavy libraries is loaded by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tsprout

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "pandas", "pyarrow", "matplotlib", "scipy", "sklearn", "polars", "aeon", "safetensors")


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after ``code``."""
    script = f"import sys\n{code}\nprint('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return {line.split(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    "code",
    [
        "import tsprout; dir(tsprout); tsprout.__version__",
        "import tsprout.cli",
        "from tsprout.cli import main; main(['--help'])",
        "from tsprout.cli import main; main(['run', '--help'])",
        "from tsprout.cli import main; main(['pretrain', '--help'])",
        "from tsprout.cli import main; main(['run', 'x.csv', '-o', 'y', '-n', '0'])",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    loaded = modules_after(code)
    assert "tsprout" in loaded
    assert not loaded & set(HEAVY)


def test_import_alone_loads_not_even_numpy() -> None:
    assert not modules_after("import tsprout") & {"numpy", "typer", "rich", *HEAVY}


def test_front_door() -> None:
    assert set(tsprout.__all__) <= set(dir(tsprout))
    from tsprout.series import SeriesSet

    assert tsprout.SeriesSet is SeriesSet
    assert tsprout.__dict__["SeriesSet"] is SeriesSet  # found without __getattr__ from now on
    with pytest.raises(AttributeError, match="no attribute 'Spruce'"):
        _ = tsprout.Spruce


def test_version_is_the_same_on_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tsprout", "--version"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == f"tsprout {tsprout.__version__}"

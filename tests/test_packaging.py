"""What a fresh machine relies on: metadata, pins, make targets, and a small checkpoint inside the package."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import tsprout

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
REQUIREMENTS = [*PROJECT["project"]["dependencies"], *(name for extra in EXTRAS.values() for name in extra)]


def requirement_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!\[; ]", requirement)[0] for requirement in requirements}


def test_upper_bounds_are_open() -> None:
    assert not [requirement for requirement in REQUIREMENTS if "<" in requirement or "==" in requirement]


def test_every_direct_dependency_is_pinned_in_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert requirement_names(REQUIREMENTS) - {"tsprout"} <= set(pins)
    assert pins["torch"] == "2.13.0"


def test_all_takes_in_every_extra_but_simulator_clusters_and_what_is_not_free() -> None:
    named = re.search(r"\[(.*)\]", EXTRAS["all"][0])
    assert named is not None
    assert set(named.group(1).split(",")) == set(EXTRAS) - {"all", "dev", "mujoco", "par", "ray", "slurm"}


def test_entry_point_leads_to_the_command_line() -> None:
    from importlib import import_module

    module, name = PROJECT["project"]["scripts"]["tsprout"].split(":")
    assert callable(getattr(import_module(module), name))


def test_third_party_imports_are_declared() -> None:
    imported_as = {"scikit-learn": "sklearn"}
    names = requirement_names(PROJECT["project"]["dependencies"])
    declared = {imported_as.get(name, name).lower() for name in names}
    optional = {"aeon", "huggingface_hub", "lightning_fabric", "polars", "ray", "rdata", "submitit", "yaml"}
    import sys

    found = set()
    for path in (ROOT / "tsprout").rglob("*.py"):
        if path.parent.name == "_peers":  # runs in environments of its own, with requirements of its own
            continue
        for match in re.finditer(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.add(match.group(1))
    foreign = {name for name in found if name not in sys.stdlib_module_names} - {"tsprout"}
    assert declared <= foreign, "declared and never imported"
    assert foreign <= declared | optional, "imported and not declared"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LICENSE", ("Apache License", "Version 2.0", "END OF TERMS AND CONDITIONS")),
        ("NOTICE", ("2505.20446", "Karras", "DPM-Solver++", "Peebles", "Naiman")),
        ("CHANGELOG.md", ("Unreleased",)),
        ("CONTRIBUTING.md", ("make test",)),
        ("CITATION.cff", ("cff-version", "2505.20446", f"version: {tsprout.__version__}")),
        ("docs/architecture.md", ("series space",)),
    ],
)
def test_papers_of_the_house(name: str, words: tuple[str, ...]) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for word in words:
        assert word in text


def test_readme_begins_with_the_two_commands() -> None:
    commands = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    first = [line for line in commands if line.startswith("make ")][:2]
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]


def test_ci_runs_the_tests_and_the_smoke_benchmark() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert text.rstrip().endswith("make test\nmake smoke")


def test_make_says_what_to_do_without_python(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "bash", "env"):
        found = next(Path(folder) / name for folder in ("/usr/bin", "/bin") if (Path(folder) / name).exists())
        (tools / name).symlink_to(found)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    done = subprocess.run(
        [tools / "make", "-f", ROOT / "Makefile", "demo"],
        cwd=tmp_path,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "PYTHON=/path/to/python3.11" in done.stderr


def test_bundled_weights_are_small() -> None:
    weights = ROOT / "tsprout" / "weights"
    if not weights.is_dir():
        pytest.skip("no checkpoint is bundled yet")
    size = sum(path.stat().st_size for path in weights.rglob("*") if path.is_file())
    assert 0 < size <= 12_000_000
    assert not [path for path in weights.rglob("*") if path.suffix in {".pt", ".pth", ".pkl", ".ckpt", ".bin"}]

"""How much memory there is: of the machine, and within the limits of a container or a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsprout.data import memory
from tsprout.errors import InputError

GIB = 1 << 30


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {64 << 20} kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "own")
    return tmp_path / "groups"


def group(place: Path, files: tuple[str, str, str], limit: object, used: int, cached: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / files[0]).write_text(f"{limit}\n")
    (place / files[1]).write_text(f"{used}\n")
    (place / "memory.stat").write_text(f"anon 5\n{files[2]} {cached}\n")


def test_without_limits_it_is_that_of_the_machine(groups: Path) -> None:
    assert memory.available() == 64 * GIB
    (groups.parent / "own").write_text("0::/\nnonsense\n")
    assert memory.available() == 64 * GIB
    group(groups, memory._FILES[""], "max", 3 * GIB, 0)
    assert memory.available() == 64 * GIB
    group(groups, memory._FILES[""], 2**63 - 4096, 3 * GIB, 0)
    assert memory.available() == 64 * GIB


@pytest.mark.parametrize(("kind", "line"), [("", "0::{}"), ("memory", "7:cpu,memory:{}")])
def test_the_tightest_limit_counts_and_files_give_way(groups: Path, kind: str, line: str) -> None:
    (groups.parent / "own").write_text("3:cpuset:/x\n" + line.format("/job/step") + "\n")
    top, files = groups / kind, memory._FILES[kind]
    group(top / "job" / "step", files, 8 * GIB, 3 * GIB, GIB)
    assert memory.available() == 6 * GIB
    group(top / "job", files, 4 * GIB, 3 * GIB, 0)
    assert memory.available() == GIB
    group(top, files, 2 * GIB, 3 * GIB, 0)
    assert memory.available() == 0
    with pytest.raises(InputError, match="0 bytes are available|0 B"):
        memory.require(1000, None, "x.csv")

"""Higher floors import lower ones, never the other way; see docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "tsprout"
FLOORS = {
    7: (
        "cli",
        "cli_bench",
        "cli_corpus",
        "cli_datasets",
        "cli_pretrain",
        "options",
        "console",
        "render",
        "render_bench",
        "render_corpus",
        "render_datasets",
        "render_pretrain",
        "demo",
        "__main__",
    ),
    6: (
        "job",
        "job_impute",
        "job_options",
        "publish",
        "evaluation",
        "corpora",
        "pretraining",
        "run_folder",
        "overview",
        "doctor",
        "accounts",
        "datasets",
        "dataset_shots",
        "reservoir",
        "bench",
    ),
    5: ("interface", "synthesizer", "drawing", "imputing", "published", "fitting", "peer"),
    4: ("train",),
    3: ("checkpoint", "card", "compat", "hub", "report"),
    2: ("model", "model_config", "data", "metrics", "baselines", "identity", "likeness"),
    1: ("nn", "diffusion", "covariance", "stitching", "series", "arrays", "devices"),
    0: ("errors", "budget", "staging", "locks", "limits", "progress", "settings", "__init__"),
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}


def imports(path: Path) -> list[str]:
    """Rooms of the package that a file imports when it runs (imports for type checkers do not count)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "tsprout":
            found += [name.name for name in node.names if name.name in FLOOR]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tsprout."):
            found.append(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found += [name.name.split(".")[1] for name in node.names if name.name.startswith("tsprout.")]
    return found


def room_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_floors(path: Path) -> None:
    room = room_of(path)
    assert room in FLOOR, f"{room} is not on the floor plan: add it here and in docs/architecture.md"
    up = [target for target in imports(path) if FLOOR[target] > FLOOR[room]]
    assert not up, f"{room} (floor {FLOOR[room]}) imports {up} from above"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_walls(path: Path) -> None:
    room = room_of(path)
    forbidden = {
        "nn": {"data", "metrics", "model"},
        "diffusion": {"data", "metrics", "model", "nn"},
        "metrics": {"model", "data", "baselines", "nn", "diffusion"},
        "data": {"model", "metrics", "nn", "diffusion"},
        "baselines": {"model"},
    }.get(room, set())
    assert not forbidden & set(imports(path))


def private_names(path: Path) -> list[str]:
    """What a file takes from another room that this one keeps for itself, by its underscore."""
    own, tree = room_of(path), ast.parse(path.read_text(encoding="utf-8"))
    found, modules = [], set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not f"{node.module}.".startswith("tsprout."):
            continue
        for name in node.names:
            parts = [*str(node.module).split("."), name.name]
            if parts[1] != own:
                modules.add(name.asname or name.name)
                found += [".".join(parts)] if any(p.startswith("_") and not p.endswith("__") for p in parts) else []
    return found + [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in modules
        and node.attr.startswith("_")
        and not node.attr.endswith("__")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_private_stays_in_its_room(path: Path) -> None:
    assert not private_names(path)


def test_what_is_private_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    place = tmp_path / "bench" / "a.py"
    place.parent.mkdir()
    place.write_text(
        "from tsprout import __version__\nfrom tsprout.bench.spec import _own\nfrom tsprout.baselines import registry\n"
        "from tsprout.data._a import b\nfrom tsprout.model import _c\nregistry._foreign()\nregistry.__name__\n"
    )
    assert private_names(place) == ["tsprout.data._a.b", "tsprout.model._c", "registry._foreign"]


def test_files_are_small() -> None:
    long = [str(path) for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 405]
    assert not long

"""Specifications are strict, and hashes cover what changes a result and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bench_help import tiny
from tiny_models import TRANSFORMER, woken

from tsprout.bench.digests import cell_hash, check_model, making_hash, task_hash
from tsprout.bench.generate import open_model
from tsprout.bench.spec import Cell, build, fingerprint, read_spec, shipped
from tsprout.errors import InputError
from tsprout.peer import Peer
from tsprout.synthesizer import Sprout

PLAIN = {"models": ["copies", {"model": "small", "mode": "prompt"}]}


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"colour": "red"}, "no setting called 'colour'"),
        ({"sets": []}, "sets is not a list"),
        ({"sets": "Sine"}, "sets is not a list"),
        ({"sets": ["Sinus"]}, "Sinus"),
        ({"sets": ["Sine", "Sine"]}, "Sine is there twice"),
        ({"shots": ["many"]}, "not a number of shots"),
        ({"shots": [0]}, "0 shots"),
        ({"lengths": [1]}, "cannot be 1"),
        ({"lengths": [3]}, "cannot be 3"),
        ({"lengths": [24, 1025]}, "cannot be 1025"),
        ({"seeds": [-1]}, "cannot be -1"),
        ({"seeds": [True]}, "cannot be True"),
        ({"protocol": "loose"}, "no protocol called 'loose'"),
        ({"suites": ["slow"]}, "no suite called 'slow'"),
        ({"suites": [{"name": "paper", "which": ["fid"]}]}, "no score called 'fid'"),
        ({"suites": [{"name": "paper", "repeat": 3}]}, "no setting called 'repeat'"),
        ({"models": [{"mode": "prompt"}]}, "is no model"),
        ({"models": [{"model": "small", "mode": "best"}]}, "no mode called 'best'"),
        ({"models": [{"model": "small", "fit": "well"}]}, "no fit called 'well'"),
        ({"models": [{"model": "small", "fit_steps": 3}]}, "of no use"),
        ({"models": [{"model": "small", "label": "a/b"}]}, "has a slash"),
        ({"models": ["copies", "copies"]}, "copies is there twice"),
        ({"run": {"timeout": "soon"}}, "soon"),
        ({"run": {"workers": 0}}, "1 or more"),
        ({"run": {"device": "gpu"}}, "no device called 'gpu'"),
        ({"run": {"device": "cuda:one"}}, "no device called 'cuda:one'"),
        ({"models": [{"model": "small", "solver": "euler"}]}, "no solver called 'euler'"),
        ({"reference": 2}, "cannot be 2"),
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        build(tiny(**(PLAIN | more)), "spec")


def test_cells_and_labels() -> None:
    spec = build(tiny(**PLAIN, shots=[4, "#6", "5%"], seeds=[0, 1]), "spec")
    names = [cell.name for cell in spec.cells()]
    assert len(names) == len(set(names)) == 12
    assert names[0] == "copies/Sine/4/12/0/quick" and names[-1] == "small prompt/Sine/5%/12/1/quick"
    assert [Cell.from_dict(cell.to_dict()) for cell in spec.cells()] == spec.cells()


def hashes(**more: Any) -> list[str]:
    return [cell_hash(cell) for cell in build(tiny(**(PLAIN | more)), "spec").cells()]


def test_hash_covers_what_changes_a_result() -> None:
    plain = hashes()
    assert len(set(plain)) == 2
    for more in (
        {"shots": [5]},
        {"lengths": [24]},
        {"seeds": [1]},
        {"protocol": "paper"},
        {"reference": 50},
        {"series": 30},
        {"sets": ["ECG200"]},
        {"suites": [{"name": "quick", "size": 12, "splits": 1}]},
        {"suites": ["paper"]},
        {"models": ["jitter", {"model": "small", "mode": "auto"}]},
        {"models": [{"model": "copies", "version": "2"}, {"model": "small", "mode": "prompt", "steps": 9}]},
    ):
        assert not set(plain) & set(hashes(**more)), more


def test_hash_does_not_cover_what_does_not() -> None:
    plain = hashes()
    assert hashes(run={"workers": 2, "timeout": "5m"}, name="other") == plain
    renamed = [{"model": "copies", "label": "a"}, {"model": "small", "mode": "prompt", "label": "b", "budget": "9s"}]
    assert hashes(models=renamed) == plain
    assert hashes(suites=[{"name": "quick", "size": 10, "splits": 1, "repeats": 99}]) == plain
    both = build(tiny(**PLAIN, suites=["quick", "paper"]), "spec").cells()
    assert making_hash(both[0]) == making_hash(both[1]) and task_hash(both[0]) != task_hash(both[1])


def test_hashes_are_for_ever() -> None:
    """Of a set and a model that no machine can change: another value would make all results so far worthless."""
    assert hashes(models=["copies"]) == ["2abd73481ac20f86bc8ed73e"]
    assert fingerprint({"b": 1, "a": [0.5, None, "ü"]}) == fingerprint({"a": [0.5, None, "ü"], "b": 1})


def test_hash_covers_the_device_of_those_that_use_it() -> None:
    cells = build(
        tiny(**(PLAIN | {"models": ["copies", "timevae", {"model": "small", "mode": "prompt"}]})), "spec"
    ).cells()
    changed = [cell_hash(cell) != cell_hash(cell, "cuda") for cell in cells]
    assert changed == [False, True, True]
    fixed = [{"model": "timevae", "options": {"device": device}, "label": device} for device in ("cpu", "cuda")]
    for cell in build(tiny(**(PLAIN | {"models": fixed})), "spec").cells():
        assert cell_hash(cell) == cell_hash(cell, "cuda")


def test_a_baseline_with_a_network_gets_the_device_unless_its_options_say_another() -> None:
    models = [
        {"model": "timevae", "options": {"epochs": 2, **own}, "label": str(own)} for own in ({}, {"device": "cpu"})
    ]
    for cell, device in zip(build(tiny(**(PLAIN | {"models": models})), "spec").cells(), ("cuda", "cpu"), strict=True):
        peer = open_model(cell.model, "cuda")
        assert isinstance(peer, Peer)
        assert peer.baseline.settings["device"] == device


def test_hash_covers_the_weights_and_not_their_place(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("twin", 0), ("other", 1)):
        Sprout(woken(TRANSFORMER, seed)).save_pretrained(tmp_path / name)
    one, twin, other = (hashes(models=[str(tmp_path / name)]) for name in ("one", "twin", "other"))
    assert one == twin != other


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ({"model": "nothing-of-this-name"}, "no such checkpoint"),
        ({"model": "small", "options": {"a": 1}}, "only baselines"),
        ({"model": "copies", "options": {"a": 1}}, "does not take these options"),
        ({"model": "copies", "mode": "prompt"}, "in its own way"),
    ],
)
def test_models_are_checked(model: dict[str, Any], what: str) -> None:
    spec = build(tiny(models=[model]), "spec")
    with pytest.raises(InputError, match=what):
        check_model(spec.models[0])


def test_shipped() -> None:
    assert shipped() == ["few-shot", "paper-168", "smoke"]
    paper = read_spec("paper-168")
    assert len(paper.sets) == 12 and len(paper.shots) == 7 and paper.suites[0].which == ("disc", "cfid", "pred")
    assert paper.protocol == "paper" and paper.reference is None and paper.lengths == (24,)
    few = read_spec("few-shot", ["{model: jitter, label: mine}"])
    assert few.lengths == (24, 64, 128, 256) and few.models[-1].label == "mine"
    for name in shipped():
        for model in read_spec(name).models:
            check_model(model)


def test_a_file(tmp_path: Path) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text("sets: [Sine]\nshots: [10]\nlengths: [24]\nseeds: [0]\nsuites: [quick]\nmodels: [copies]\n")
    assert read_spec(place).name == "mine"
    place.write_text("sets: [Sine]\nsets: [ILI]\n")
    with pytest.raises(InputError, match="there twice"):
        read_spec(place)
    with pytest.raises(InputError, match="no such specification"):
        read_spec("smok")

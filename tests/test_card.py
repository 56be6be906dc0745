"""The card says what ``info`` and the files say, in a form the hub reads, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_models import TRANSFORMER, same_weights, snapshot, waves, woken

from tsprout import Sprout
from tsprout.card import CURVE_POINTS, model_card, read_tables, thinned
from tsprout.checkpoint import CARD, CONFIG, WEIGHTS, Checkpoint, bundled_names, load, save
from tsprout.errors import InputError
from tsprout.series import SeriesSet

ROOT = Path(__file__).resolve().parents[1]
INFO: dict[str, Any] = {
    "licence": "Apache-2.0",
    "steps": 1234,
    "windows": 3_000_000,
    "seconds": 5400.0,
    "processor_hours": 3.0,
    "hardware": "two cores",
    "lengths": [8, 64],
    "channels": [1, 5],
    "sets": {"Rivers": {"row": 0, "licence": "CC BY 4.0 | odd"}, "Shops": {"row": 1, "licence": ""}},
    "synthetic_share": 0.25,
    "left_out": {"Banks": "licence forbids\nit"},
    "validation": ["Winds"],
    "never_trained_on": ["Tides"],
    "held_out_loss": {"sigma 0.2": 0.5, "mean": 0.625},
    "curve": [{"step": step, "loss": 1 / (step + 1), "held out": None} for step in range(50)],
    "tables": [{"title": "Few-shot", "about": "Ten shots.", "rows": [{"set": "Winds", "Disc": 0.123456}, {"cFID": 2}]}],
    "notes": ["Winds are too calm."],
}


def card_of(tmp_path: Path, info: dict[str, Any], **rest: Any) -> str:
    save(Checkpoint(woken(TRANSFORMER), info, **rest), tmp_path / "tiny")
    return (tmp_path / "tiny" / CARD).read_text(encoding="utf-8")


def header(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def test_a_card_with_everything(tmp_path: Path) -> None:
    card = card_of(tmp_path, INFO)
    told = header(card)
    assert told["license"] == "apache-2.0" and told["library_name"] == "tsprout" and "time-series" in told["tags"]
    size = (tmp_path / "tiny" / WEIGHTS).stat().st_size
    assert f"transformer, {woken(TRANSFORMER).parameter_count:,} parameters, {size / 1000:.1f} kB" in card
    for said in (
        "# tiny",
        "| steps | 1,234 |",
        "| windows | 3,000,000, 0.01 of the 300,000,000 of arXiv 2505.20446 |",
        "| time | 1.5 hours |",
        "| processor hours | 3.0 |",
        "| on | two cores |",
        "| trained on lengths | 8 to 64 |",
        "2 public sets beside synthetic processes (25% of the episodes)",
        r"| Rivers | CC BY 4.0 \| odd |",
        "| Shops | none stated |",
        "- Banks: licence forbids it",
        "for validation: Winds.",
        "not among them: Tides.",
        "| mean | 0.625 |",
        "## Few-shot\n\nTen shots.\n\n| set | Disc | cFID |\n| --- | --- | --- |\n| Winds | 0.1235 |  |\n|  |  | 2 |",
        "- Trained on series of 1 to 5 channels",
        "- Winds are too calm.",
    ):
        assert said in card, said
    curve = card.split("| step | loss |\n")[1].split("\n\n")[0].splitlines()[1:]
    assert len(curve) == CURVE_POINTS and curve[0] == "| 0 | 1 |" and curve[-1] == "| 49 | 0.02 |"


def test_what_is_not_known_is_not_said(tmp_path: Path) -> None:
    card = card_of(tmp_path, {})
    assert "license" not in header(card)
    for word in ("Training", "hours", "None", "nan", "licence"):
        assert word not in card
    assert "lengths 4 to 1024" in card


@pytest.mark.parametrize("wrong", [3, "x", [1], {"a": 1}, None, True])
def test_facts_of_another_shape_cost_no_checkpoint(tmp_path: Path, wrong: Any) -> None:
    card = card_of(tmp_path, dict.fromkeys(INFO, wrong))
    assert "# tiny" in card and "## Limits" in card
    assert load(tmp_path / "tiny").info == dict.fromkeys(INFO, wrong)


def test_a_fitted_one_says_what_it_contains(tmp_path: Path) -> None:
    shots = SeriesSet.from_arrays(waves(4), channels=["pulse", "spo|2"])
    Sprout(woken(TRANSFORMER), info=INFO).fit(shots, "prompt").save_pretrained(tmp_path / "mine")
    card = (tmp_path / "mine" / CARD).read_text(encoding="utf-8")
    assert "**This folder contains the series it was fitted to**" in card
    assert "4 series with the channels pulse, spo" in card and "Mode prompt, 0 training steps" in card
    assert "license" not in header(card)  # the series are the user's, and so is the choice
    assert "Rivers" in card


def test_the_card_travels_with_the_weights(tmp_path: Path) -> None:
    first = card_of(tmp_path, INFO)
    Sprout.from_pretrained(tmp_path / "tiny").save_pretrained(tmp_path / "again" / "tiny")
    assert (tmp_path / "again" / "tiny" / CARD).read_text(encoding="utf-8") == first


@pytest.mark.parametrize("name", bundled_names())
def test_the_bundled_card_is_of_its_own_facts(name: str) -> None:
    import tsprout

    folder = Path(tsprout.__file__).parent / "weights" / name
    size, count = (folder / WEIGHTS).stat().st_size, load(name).model.parameter_count
    made = model_card(json.loads((folder / CONFIG).read_text()), name=name, parameters=count, weights_bytes=size)
    assert (folder / CARD).read_text(encoding="utf-8") == made


def test_figures_of_a_benchmark() -> None:
    rows = [{"set": "Winds", "Disc": 0.1}]
    assert read_tables(json.dumps(rows), "x.json") == [{"title": "x.json", "about": "", "rows": rows}]
    tables = [{"title": "A", "rows": rows}]
    assert read_tables(json.dumps({"tables": tables}), "x.json")[0]["title"] == "A"
    for text in ("{", "{}", "3", "[1]", '{"tables": [{"rows": []}]}', '{"tables": 3}'):
        with pytest.raises(InputError, match="no figures") as caught:
            read_tables(text, "x.json")
        assert caught.value.where == "x.json"


def test_thinned() -> None:
    curve = [{"step": step} for step in range(100)]
    assert thinned(curve[:5], 12) == curve[:5]
    few = [point["step"] for point in thinned(curve, 12)]
    assert few == sorted(set(few)) and few[0] == 0 and few[-1] == 99 and len(few) == 12


def bundle(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "bundle.py"), *command],
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_bundle_script_refuses_what_saw_the_evaluation(tmp_path: Path) -> None:
    sets = {"ETTm1": {"row": 0, "licence": ""}}
    save(Checkpoint(woken(TRANSFORMER), {"sets": sets}), tmp_path / "bad")
    done = bundle(str(tmp_path / "bad"), "--out", str(tmp_path), "--name", "made")
    assert done.returncode == 1 and "trained on evaluation sets: ETTm1" in done.stderr
    assert not (tmp_path / "made").exists()


def test_bundle_script(tmp_path: Path) -> None:
    model = woken(TRANSFORMER)
    save(
        Checkpoint(model, {"steps": 30, "windows": 900, "sets": {"Rivers": {"row": 0}}}),
        tmp_path / "run" / "checkpoint",
    )
    clock = [(10, 60.0), (20, 3600.0), (30, 1800.0)]  # resumed after 20
    lines = [{"step": s, "seconds": t, "loss": 2.0 / s, "held out": {"mean": 1.0 / s}} for s, t in clock]
    (tmp_path / "run" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "figures.json").write_text(json.dumps([{"set": "Winds", "Disc": 0.25}]))
    command = [str(tmp_path / "run" / "checkpoint"), "--out", str(tmp_path), "--name", "made", "--licence", "MIT"]
    command += ["--figures", str(tmp_path / "figures.json"), "--note", "Slow.", "--processor-hours", "2"]
    done = bundle(*command)
    assert done.returncode == 0, done.stderr
    made = load(tmp_path / "made")
    assert same_weights(made.model, snapshot(model.half().float()))
    assert made.info["seconds"] == 5400.0 and made.info["windows"] == 900
    assert made.info["held_out_loss"] == {"mean": 1.0 / 30}
    assert [point["step"] for point in made.info["curve"]] == [10, 20, 30]
    card = (tmp_path / "made" / CARD).read_text(encoding="utf-8")
    for said in ('license: "mit"', "| 20 | 0.1 | 0.05 |", "| Winds | 0.25 |", "- Slow.", "| time | 1.5 hours |"):
        assert said in card, said
    assert "ETTm1" in card.split("not among them: ")[1].split("\n")[0]
    golden = json.loads((tmp_path / "made" / "golden.json").read_text())
    assert golden["shape"] == [2, 2, 24]

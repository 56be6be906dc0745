"""Push to and fetch from a hub: the true client library against a stand-in on this machine (``hub_server.py``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from data_server import closed_port
from hub_server import OWNER, READER, WRITER, HubServer, serving
from tiny_models import PADDED, TRANSFORMER, same_weights, snapshot, waves, woken

from tsprout import Sprout, cli
from tsprout.checkpoint import CARD, CONFIG, SHOTS, WEIGHTS, find
from tsprout.errors import CheckpointError, InputError
from tsprout.hub import HubOptions, PushOptions, split_name
from tsprout.series import SeriesSet

pytest.importorskip("huggingface_hub")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A hub that the client library, imported anew, takes for the only one; its home and cache are empty."""
    home = tmp_path_factory.mktemp("home")
    mine = {
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "no_proxy": "127.0.0.1,localhost",
    }
    loose = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN_PATH")
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "huggingface_hub"}
    with serving() as hub, pytest.MonkeyPatch.context() as patch:
        for name, value in {**mine, "HF_ENDPOINT": hub.url}.items():
            patch.setenv(name, value)
        for name in loose:
            patch.delenv(name, raising=False)
        for name in before:
            del sys.modules[name]
        yield hub
        for name in [name for name in sys.modules if name.split(".")[0] == "huggingface_hub"]:
            del sys.modules[name]
        sys.modules.update(before)


@pytest.fixture
def hub(server: HubServer) -> HubServer:
    server.repos.clear()
    server.asked.clear()
    server.broken = None
    return server


@pytest.fixture
def sprout() -> Sprout:
    return Sprout(woken(TRANSFORMER), info={"steps": 3, "licence": "Apache-2.0"})


@pytest.fixture
def fitted(sprout: Sprout) -> Sprout:
    shots = SeriesSet.from_arrays(waves(4), channels=["pulse", "spo2"], labels=np.array(["x", "y", "x", "y"]))
    return sprout.fit(shots, "prompt")


def test_what_was_pushed_comes_back_with_the_same_bits(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    commit = sprout.push_to_hub("tester/tiny", token=WRITER, commit_message="the first")
    repo = hub.repos["tester/tiny"]
    assert not repo.private and repo.messages[-1] == "the first"
    assert commit == f"{hub.url}/tester/tiny/commit/{repo.branches['main']}"
    assert {CARD, CONFIG, WEIGHTS} < set(repo.commits[repo.branches["main"]])
    back = Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path)
    assert same_weights(back.model, snapshot(sprout.model)) and back.info == sprout.info
    # Everything lies in the cache that was named, and a second look fetches nothing.
    assert (tmp_path / "models--tester--tiny").is_dir()
    hub.asked.clear()
    Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path)
    assert not [path for _, path in hub.asked if "resolve" in path or "lfs" in path]


def test_the_stored_token_is_used(hub: HubServer, sprout: Sprout) -> None:
    stored = Path(os.environ["HF_HOME"]) / "token"
    stored.write_text(WRITER)
    try:
        sprout.push_to_hub("tester/tiny", private=True)
        assert hub.repos["tester/tiny"].private
        assert Sprout.from_pretrained("tester/tiny").info == sprout.info
    finally:
        stored.unlink()


def test_revisions(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    other = Sprout(woken(PADDED))
    sprout.push_to_hub("tester/tiny", token=WRITER)
    first = hub.repos["tester/tiny"].branches["main"]
    other.push_to_hub("tester/tiny", token=WRITER, revision="padded")
    Sprout(woken(TRANSFORMER, seed=5)).push_to_hub("tester/tiny", token=WRITER)
    assert Sprout.from_pretrained("tester/tiny", revision="padded", cache_dir=tmp_path).config == PADDED
    assert Sprout.from_pretrained("tester/tiny@padded", cache_dir=tmp_path).config == PADDED
    now, then = (
        Sprout.from_pretrained("tester/tiny", revision=name, cache_dir=tmp_path).model for name in (None, first)
    )
    assert same_weights(then, snapshot(sprout.model)) and not same_weights(now, snapshot(then))
    with pytest.raises(CheckpointError, match="no such revision") as caught:
        Sprout.from_pretrained("tester/tiny", revision="nowhere", cache_dir=tmp_path)
    assert caught.value.where == "tester/tiny@nowhere"
    with pytest.raises(CheckpointError, match="two revisions"):
        Sprout.from_pretrained("tester/tiny@padded", revision="main")
    with pytest.raises(CheckpointError, match="only models on the hub have revisions"):
        Sprout.from_pretrained("small", revision="main")


def test_offline_with_a_cache_and_without(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    sprout.push_to_hub("tester/tiny", token=WRITER)
    with pytest.raises(CheckpointError, match="not in the cache") as caught:
        Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path, local_files_only=True)
    assert "Fetch it once" in str(caught.value.fix)
    Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path)
    hub.asked.clear()
    back = Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path, local_files_only=True)
    assert same_weights(back.model, snapshot(sprout.model)) and hub.asked == []


def test_a_fitted_model_is_not_published_by_mistake(hub: HubServer, fitted: Sprout, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        fitted.push_to_hub("tester/mine", token=WRITER)
    said = str(caught.value)
    assert "all 4 series, 2 channels (pulse, spo2), up to 16 steps, with their ids, labels" in said
    assert "include_shots=True" in said
    with pytest.raises(CheckpointError, match="would publish"):
        fitted.save_pretrained(tmp_path / "mine", push_to_hub=True, repo_id="tester/mine", token=WRITER)
    assert hub.asked == [] and not (tmp_path / "mine").exists()
    fitted.push_to_hub("tester/mine", token=WRITER, include_shots=True)
    assert hub.repos["tester/mine"].private
    back = Sprout.from_pretrained("tester/mine", token=WRITER, cache_dir=tmp_path)
    np.testing.assert_array_equal(back.sample(3, seed=1).values, fitted.sample(3, seed=1).values)
    # A public place that exists is refused unless it is said.
    Sprout(fitted.model).push_to_hub("tester/open", token=WRITER)
    with pytest.raises(CheckpointError, match="exists and is public"):
        fitted.push_to_hub("tester/open", token=WRITER, include_shots=True)
    open_repo = hub.repos["tester/open"]
    assert SHOTS not in open_repo.commits[open_repo.branches["main"]]
    fitted.push_to_hub("tester/open", token=WRITER, include_shots=True, private=False)
    assert SHOTS in open_repo.commits[open_repo.branches["main"]]
    # What is pushed over it takes the series away again, and leaves files of others.
    open_repo.commits[open_repo.branches["main"]]["thesis.txt"] = b"mine"
    Sprout(fitted.model).push_to_hub("tester/open", token=WRITER)
    left = set(open_repo.commits[open_repo.branches["main"]])
    assert SHOTS not in left and "thesis.txt" in left


def test_saving_and_pushing_at_once(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    sprout.save_pretrained(tmp_path / "tiny", push_to_hub=True, token=WRITER)
    there = hub.repos[f"{OWNER}/tiny"]
    for name in (CONFIG, WEIGHTS, CARD):
        assert there.commits[there.branches["main"]][name] == (tmp_path / "tiny" / name).read_bytes()
    with pytest.raises(CheckpointError, match=r"folder .* is written"):
        sprout.save_pretrained(tmp_path / "other", push_to_hub=True, repo_id="stranger/tiny", token=WRITER)
    assert find(tmp_path / "other")
    with pytest.raises(InputError, match="no push was asked for"):
        sprout.save_pretrained(tmp_path / "third", repo_id="tester/tiny")
    with pytest.raises(TypeError):
        sprout.save_pretrained(tmp_path / "third", push_to_hub=True, colour="red")
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("name", "token", "said"),
    [
        ("tester/tiny", None, "does not know who is asking"),
        ("tester/tiny", "hf_wrong", "does not know who is asking"),
        ("tester/tiny", READER, "refuses access"),
        ("stranger/tiny", WRITER, "refuses access"),
    ],
)
def test_pushes_that_are_refused(hub: HubServer, sprout: Sprout, name: str, token: str | None, said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        sprout.push_to_hub(name, token=token)
    assert caught.value.where == name and "hf auth login" in str(caught.value.fix)
    assert hub.repos == {}


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b/c", "tester/", "tester/..", "tester/a--b", "-x", "é/b", "t/" + "x" * 99]
)
def test_names_that_cannot_be(hub: HubServer, sprout: Sprout, name: str) -> None:
    with pytest.raises(CheckpointError, match="cannot be the name"):
        sprout.push_to_hub(name, token=WRITER)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "neither a local folder nor a model on the hub"),
        (READER, "neither a local folder nor a model on the hub"),
        ("hf_wrong", "refuses the token"),
    ],
)
def test_models_that_are_not_there(hub: HubServer, tmp_path: Path, token: str | None, said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        Sprout.from_pretrained("tester/none", cache_dir=tmp_path, token=token)
    assert caught.value.where == "tester/none" and "hf auth login" in str(caught.value.fix)


def test_a_private_model_needs_a_token(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    sprout.push_to_hub("tester/tiny", token=WRITER, private=True)
    with pytest.raises(CheckpointError, match="nor a model on the hub"):
        Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path, token=False)
    assert Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path, token=READER).info == sprout.info


def test_a_hub_that_is_out_of_order(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    hub.broken = 500
    with pytest.raises(CheckpointError, match="error 500") as caught:
        sprout.push_to_hub("tester/tiny", token=WRITER)
    assert "later" in str(caught.value.fix)
    with pytest.raises(CheckpointError, match="error 500"):
        Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path)


def test_what_lies_there_is_not_a_checkpoint(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    sprout.push_to_hub("tester/tiny", token=WRITER)
    repo = hub.repos["tester/tiny"]
    repo.commit("main", {"pytorch_model.bin": b"\x80\x04."}, "a pickle")
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        Sprout.from_pretrained("tester/tiny", cache_dir=tmp_path)
    assert not [path for _, path in hub.asked if path.endswith(".bin")]


def test_names_and_revisions() -> None:
    assert split_name("owner/name") == ("owner/name", None)
    assert split_name("owner/name@v1.0") == ("owner/name", "v1.0")
    assert split_name("owner/name@refs/pr/3") == ("owner/name", "refs/pr/3")
    for text in ("name", "./a/b", "../b", "~/b", "/a/b", "a/b/c", "a//b", "a/b c", ""):
        assert split_name(text) is None


def test_the_command_line(hub: HubServer, sprout: Sprout, fitted: Sprout, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", WRITER)
    sprout.save_pretrained(tmp_path / "tiny")
    assert cli.main(["push", str(tmp_path / "tiny"), "tester/tiny", "-m", "by hand", "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account["files"] == [CONFIG, WEIGHTS, CARD] and account["shots"] is False
    assert account["commit"].startswith(hub.url)
    repo = hub.repos["tester/tiny"]
    assert repo.messages[-1] == "by hand"
    assert repo.commits[repo.branches["main"]][WEIGHTS] == (tmp_path / "tiny" / WEIGHTS).read_bytes()
    fitted.save_pretrained(tmp_path / "mine")
    assert cli.main(["push", str(tmp_path / "mine"), "tester/mine"]) == 2
    said = capsys.readouterr().err
    assert "--include-shots" in said and "Traceback" not in said
    assert cli.main(["push", str(tmp_path / "mine"), "tester/mine", "--include-shots"]) == 0
    assert hub.repos["tester/mine"].private
    assert "were pushed with it" in capsys.readouterr().err
    assert cli.main(["push", str(tmp_path / "none"), "tester/none"]) == 2


def test_no_network(sprout: Sprout, tmp_path: Path) -> None:
    """In a process of its own, since the client library reads its address once."""
    sprout.save_pretrained(tmp_path / "tiny")
    address = f"http://127.0.0.1:{closed_port()}"
    setting = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": WRITER, "no_proxy": "127.0.0.1"}
    verbs = [["push", "tiny", "tester/tiny"], ["sample", "tester/tiny", "-o", "new.csv"]]
    done = subprocess.run(
        [sys.executable, "-c", f"from tsprout.cli import main; print([main(verb) for verb in {verbs}])"],
        env={**os.environ, **setting, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1:] == ["[2, 2]"], done.stderr
    assert done.stderr.count("the hub cannot be reached") == 2 and "Traceback" not in done.stderr
    assert not (tmp_path / "new.csv").exists()
    with pytest.raises(CheckpointError):
        find("tester/never-fetched", HubOptions(local_files_only=True, cache_dir=tmp_path))


def test_series_that_lie_beside_a_checkpoint_are_not_published(hub: HubServer, sprout: Sprout, tmp_path: Path) -> None:
    from tsprout.checkpoint import load, push

    sprout.save_pretrained(tmp_path / "tiny")
    (tmp_path / "tiny" / SHOTS).write_bytes(b"somebody's")
    with pytest.raises(CheckpointError, match="somebody's series"):
        push(load(tmp_path / "tiny"), "tester/tiny", PushOptions(token=WRITER), tmp_path / "tiny")
    assert hub.asked == []

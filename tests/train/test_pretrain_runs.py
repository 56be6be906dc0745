"""Pre-training as it is really run: killed, on two processes, stopped by what is not finite, its log after it all."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tiny_corpus import small_corpus
from tiny_models import TRANSFORMER, same_weights, snapshot

from tsprout.data.corpus.episodes import EpisodeStream, StreamConfig
from tsprout.data.corpus.store import Corpus
from tsprout.errors import CheckpointError, InputError, TrainingError
from tsprout.train import pretrain as module
from tsprout.train.engine import Engine, EngineConfig
from tsprout.train.loop import STATE, Loop, LoopConfig
from tsprout.train.pretrain import PretrainConfig, Pretraining, pretrain, tally
from tsprout.train.record import LEVELS, LOG
from tsprout.train.watch import GRACE, PATIENCE, Watch

ROOT = Path(__file__).resolve().parent.parent.parent
STREAM = StreamConfig(
    cells=128,
    targets=6,
    synthetic_share=0.0,
    lengths=(8, 16),
    length_shares=(1, 1),
    channels=(1, 2),
    channel_shares=(1, 1),
)
CONFIG = PretrainConfig(
    replace(TRANSFORMER, rows=6),
    LoopConfig(9, 1e-3, seed=3),
    STREAM,
    pieces=2,
    validate_every=0,
    log_every=3,
    engine=EngineConfig(save_seconds=1e9),
)
TIMES = ("seconds", "windows_per_second")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


def lines(out: Path) -> list[dict]:
    found = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMES} for line in found]


def stop_after(steps: int):
    left = [steps]

    def stop() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return stop


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_at_random_moments_and_resumed_is_the_same_as_unbroken(tmp_path: Path) -> None:
    # In a process of its own: one with threads must not be forked.
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "resume_kills.py"), "--kills", "2", "--seed", "2"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["ended bit-equal"] == summary["kills"] == 2
    assert summary["hit a running process"] >= 1


def test_the_kill_harness_sees_a_difference(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("resume_kills", ROOT / "benchmarks" / "resume_kills.py")
    assert spec is not None and spec.loader is not None
    harness: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(harness)
    found = []
    for seed in (1, 2):
        config = harness.CONFIG.replace("steps: 24", f"steps: 2, seed: {seed}").replace("optimizer: muon", "ema: 0.9")
        (tmp_path / "killed.yaml").write_text(config)
        if seed == 1:
            harness.write_corpus(tmp_path / "corpus")
        from tsprout.pretraining import pretrain as job

        job(str(tmp_path / "killed.yaml"), tmp_path / f"out {seed}", corpus=str(tmp_path / "corpus"))
        found.append(harness.bits(tmp_path / f"out {seed}"))
    differ = {name.split("/")[0] for name in found[0] if found[0][name] != found[1][name]}
    assert {"state.safetensors", "model.safetensors"} <= differ


def test_the_log_of_a_broken_run_is_that_of_an_unbroken_one(corpus: Corpus, tmp_path: Path) -> None:
    unbroken = pretrain(CONFIG, corpus, tmp_path / "one")
    assert [line["step"] for line in lines(tmp_path / "one")] == [3, 6, 9]
    out = tmp_path / "two"
    assert pretrain(CONFIG, corpus, out, stop=stop_after(4)).stopped == "asked"
    state = (out / STATE).read_bytes()
    pretrain(CONFIG, corpus, out, stop=stop_after(3))  # on to step 7 ...
    (out / STATE).write_bytes(state)  # ... of which the state knows nothing, as after a kill
    with open(out / LOG, "a") as file:
        file.write('{"step": 9, "lo')
    found = pretrain(CONFIG, corpus, out)
    assert (found.resumed, found.steps, found.stopped) == (4, 9, "steps")
    assert lines(out) == lines(tmp_path / "one")
    assert (
        found.windows
        == unbroken.windows
        == sum(
            batch.targets.shape[0] * batch.targets.shape[1]
            for batch in map(EpisodeStream(corpus, STREAM, seed=3).batch, range(18))
        )
    )


def test_what_a_line_says(corpus: Corpus, tmp_path: Path) -> None:
    config = replace(CONFIG, loop=replace(CONFIG.loop, steps=2, warmup=4), log_every=1, few_shot_every=2)
    live: list[tuple[int, float, float]] = []
    pretrain(
        config,
        corpus,
        tmp_path,
        live=lambda *told: live.append(told),
        few_shot=lambda m: {"cfid": float(m.training), "nan": float("nan")},
    )
    one, two = (json.loads(line) for line in (tmp_path / LOG).read_text().splitlines())
    assert [told[0] for told in live] == [1, 2]
    assert (one["loss"], two["loss"]) == (live[0][1], live[1][1])
    assert two["seconds"] >= one["seconds"] > 0 and two["windows"] > one["windows"] > 0
    assert (one["rate"], two["rate"]) == pytest.approx((0.25e-3, 0.5e-3))
    assert one["gradient_norm"] > 0
    assert set(two["loss_by_noise"]) <= {f"sigma {level:g}" for level in LEVELS}
    assert "few_shot" not in one and two["few_shot"] == {"cfid": 0.0}


def test_losses_by_noise_level() -> None:
    sigma = torch.tensor([0.01, 0.04, 0.6, 1.0, 75.0])
    windows, *rest = tally(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]), sigma).tolist()
    assert windows == 5
    assert rest == [3.0, 0.0, 12.0, 0.0, 0.0, 16.0, 2.0, 0.0, 2.0, 0.0, 0.0, 1.0]


def test_a_resumed_run_must_be_the_same_run(corpus: Corpus, tmp_path: Path) -> None:
    pretrain(CONFIG, corpus, tmp_path, stop=stop_after(1))
    for changed, words in (
        (replace(CONFIG, pieces=4), "pieces was 2 and is 4"),
        (replace(CONFIG, loop=replace(CONFIG.loop, weight_decay=0.5)), "loop.weight_decay was 1e-05 and is 0.5"),
        (replace(CONFIG, stream=replace(STREAM, cells=99)), "stream.cells was 128 and is 99"),
        (replace(CONFIG, model=replace(CONFIG.model, width=32)), "model.width was 16 and is 32"),
        (replace(CONFIG, exclude_domains=("web",)), "exclude_domains"),
    ):
        with pytest.raises(CheckpointError, match=words) as caught:
            pretrain(changed, corpus, tmp_path)
        assert caught.value.fix and str(tmp_path) in str(caught.value.where)
    longer = replace(CONFIG.loop, steps=11, learning_rate=1e-4, cooldown=0.1)
    found = pretrain(replace(CONFIG, loop=longer, log_every=2, engine=EngineConfig()), corpus, tmp_path)
    assert found.steps == 11


class _Share(Engine):
    """One rank of several, without the others: what it would compute before gradients are summed."""

    def __init__(self, rank: int, world: int) -> None:
        super().__init__()
        self.rank, self.world = rank, world


def test_ranks_share_out_the_pieces_of_a_step(corpus: Corpus, tmp_path: Path) -> None:
    def gradients(engine: Engine) -> list[torch.Tensor]:
        run = Pretraining(replace(CONFIG, pieces=4), corpus, tmp_path, engine, False)
        for number in engine.share(0, 4):
            run.loop._piece(number)
        return [torch.zeros_like(p) if p.grad is None else p.grad for p in run.loop.parameters]

    whole = gradients(Engine())
    parts = [gradients(_Share(rank, 2)) for rank in (0, 1)]
    assert any(not torch.allclose(a, b) for a, b in zip(*parts, strict=True))
    for a, b, both in zip(*parts, whole, strict=True):
        torch.testing.assert_close(a + b, both, atol=1e-6, rtol=1e-4)


def test_ranks_must_divide_the_pieces(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 pieces cannot be shared out over 3 processes") as caught:
        Pretraining(CONFIG, corpus, tmp_path, _Share(0, 3), False)
    assert "training.pieces" in str(caught.value.fix)


def test_a_run_goes_on_with_another_number_of_ranks(corpus: Corpus, tmp_path: Path) -> None:
    pretrain(CONFIG, corpus, tmp_path, stop=stop_after(3))
    for rank in (0, 1):
        run = Pretraining(CONFIG, corpus, tmp_path, _Share(rank, 2), False)
        run.loop.load(tmp_path)
        expected = EpisodeStream(corpus, STREAM, seed=3).batch(3 * 2 + rank)
        assert np.array_equal(next(run.stream).targets, expected.targets)


def test_groups_of_a_piece_count_by_their_series(corpus: Corpus, tmp_path: Path) -> None:
    run = Pretraining(CONFIG, corpus, tmp_path, Engine(), False)
    sets = EpisodeStream(corpus, STREAM, seed=8)
    one, other = sets.batch(0), sets.batch(1)
    for batch in (one, other):  # as windows without shots come
        batch.shots, batch.shots_observed = batch.shots[:, :0], batch.shots_observed[:, :0]
    other.targets, other.targets_observed = other.targets[:, :2], other.targets_observed[:, :2]
    seen: list[torch.Tensor] = []
    plain = run.model.losses_of_groups

    def spy(groups):
        seen.extend(plain(groups))
        return seen

    run.stream = iter([[one, other]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.model, "losses_of_groups", spy)
        loss, counted = run.loss(torch.Generator().manual_seed(0))
    sizes = [len(part) for part in seen]
    assert sizes == [one.targets.shape[0] * 6, other.targets.shape[0] * 2]
    assert float(loss.detach()) == pytest.approx(sum(float(part.detach().sum()) for part in seen) / sum(sizes))
    assert counted[0] == sum(sizes)


def spoiled(monkeypatch: pytest.MonkeyPatch, at: int, factor: float) -> None:
    """From the ``at``-th piece on all losses are ``factor`` times as large."""
    plain, calls = Pretraining.loss, [0]

    def loss(self, generator):
        calls[0] += 1
        value, counted = plain(self, generator)
        return value * (factor if calls[0] > at else 1), counted

    monkeypatch.setattr(Pretraining, "loss", loss)


def test_what_is_not_finite_stops_at_the_last_good_state(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, engine=EngineConfig(save_seconds=0))
    whole = pretrain(config, corpus, tmp_path / "whole").model
    with monkeypatch.context() as patch:
        spoiled(patch, 10, float("nan"))
        with pytest.raises(TrainingError, match="stopped being finite at step 5") as caught:
            pretrain(config, corpus, tmp_path / "out")
    assert caught.value.exit_code == 1
    assert "state of step 5" in str(caught.value.fix) and "learning_rate" in str(caught.value.fix)
    assert same_weights(pretrain(config, corpus, tmp_path / "out").model, snapshot(whole))


def test_a_loss_that_goes_up_and_stays_there_stops_too(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tsprout.train.watch.GRACE", 5)
    monkeypatch.setattr("tsprout.train.watch.PATIENCE", 4)
    spoiled(monkeypatch, 20, 50.0)
    config = replace(CONFIG, loop=replace(CONFIG.loop, steps=40), engine=EngineConfig(save_seconds=0))
    with pytest.raises(TrainingError, match="gone up and stayed there") as caught:
        pretrain(config, corpus, tmp_path)
    assert "state of step 10" in str(caught.value.fix)


def test_the_watch_forgives_single_bad_steps() -> None:
    rng = np.random.default_rng(0)
    watch = Watch()
    losses = rng.lognormal(-1, 0.3, 3000)
    losses[::7] *= 20
    assert not any(map(watch.see, losses))
    assert sum(watch.see(float(5 * rng.lognormal(-1, 0.1))) for _ in range(PATIENCE)) == 1
    early = Watch()
    assert not any(early.see(loss) for loss in [0.1, *[9.0] * (GRACE - 1)])
    twin = Watch()
    twin.load_state_dict(json.loads(json.dumps(watch.state_dict())))
    assert twin.state_dict() == watch.state_dict()


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    loop = Loop(model, lambda g: model(torch.ones(1, 2)).sum(), LoopConfig(3))
    loop.save(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    with torch.no_grad():
        model.weight[0, 0] = float("inf")
    with pytest.raises(TrainingError, match="weights"):
        loop.save(tmp_path)
    assert (tmp_path / STATE).read_bytes() == before


def test_domains_that_are_left_out_are_validated_on(corpus: Corpus, tmp_path: Path) -> None:
    config = replace(CONFIG, exclude_domains=("web", "industry"), validate_every=9)
    with pytest.MonkeyPatch.context() as patch:
        plain = module.Validation.__init__
        patch.setattr(module.Validation, "__init__", lambda self, c, names: plain(self, c, names, batches=2))
        found = pretrain(config, corpus, tmp_path / "out")
    assert found.sets == ["Shapes", "Walk"]
    assert sorted(found.validation) == ["Many", "Pieces"]
    assert np.isfinite(found.held_out["mean"])
    with pytest.raises(InputError, match="no domain 'wet'") as caught:
        pretrain(replace(CONFIG, exclude_domains=("wet",)), corpus, tmp_path / "other")
    assert "web" in str(caught.value.fix)


def test_compilation_leaves_the_names_of_the_weights(corpus: Corpus, tmp_path: Path) -> None:
    asked: list[dict] = []
    marks: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        # The compiler itself takes long to load, and is not asked here.
        patch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: marks.append(how))
        patch.setattr(torch.nn.Module, "compile", lambda self, **how: asked.append(how))
        for how in ("off", "default", "reduce-overhead", "layers"):
            engine = Engine(EngineConfig(compile=how))
            run = Pretraining(CONFIG, corpus, tmp_path, engine, False)
            run.loop.advance()
    layers = len(list(run.model.backbone.layers))
    assert asked == [{"mode": None}, {"mode": "reduce-overhead"}, *[{"dynamic": True}] * layers]
    assert marks == ["reduce-overhead"] * CONFIG.pieces  # one before each piece that follows
    with pytest.raises(InputError, match="compile cannot be 'fast'"):
        EngineConfig(compile="fast")
    with pytest.raises(InputError, match="workers is -1"):
        EngineConfig(workers=-1)


def test_cosine_decay() -> None:
    config = LoopConfig(100, 1.0, cooldown=1.0, decay="cosine")
    assert [config.rate(s) for s in (0, 50, 100)] == pytest.approx([1, 0.5, 0])
    late = replace(config, cooldown=0.5)
    assert [late.rate(s) for s in (0, 50, 75)] == pytest.approx([1, 1, 0.5])

"""The job of pre-training: configuration and corpus in, a resumable run and a checkpoint out.

The folder of a run is :mod:`tsprout.run_folder`.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.budget import parse_budget
from tsprout.errors import InputError, TsproutError
from tsprout.run_folder import CHECKPOINT, CONFIG, STARTED, check_out, holding, read_seen, seen_by, tidy
from tsprout.staging import write_file

if TYPE_CHECKING:
    from tsprout.checkpoint import Checkpoint
    from tsprout.data.corpus.store import Corpus
    from tsprout.train.pretrain import FewShot, PretrainConfig, Pretrained


@dataclass(frozen=True)
class PretrainOptions:
    """What the command line says beside the configuration; ``None``: what that says. ``budget``: "2h" and the like."""

    steps: int | None = None
    budget: str | None = None
    devices: int | None = None
    nodes: int | None = None
    precision: str | None = None
    workers: int | None = None
    threads: int | None = None
    tensorboard: bool = False
    start_from: str | None = None
    overrides: Sequence[str] = ()

    def applied(self, config: PretrainConfig) -> PretrainConfig:
        """The configuration with what the options say."""
        engine = {k: getattr(self, k) for k in ("devices", "nodes", "precision", "workers", "threads")}
        given = {k: v for k, v in engine.items() if v is not None}
        loop = config.loop if self.steps is None else replace(config.loop, steps=self.steps)
        return replace(config, loop=loop, engine=replace(config.engine, **given))


@dataclass
class Watching:
    """What a caller may want to see of a run while it goes on; each may be ``None``."""

    begin: Callable[[dict[str, Any]], None] | None = None
    live: Callable[[int, float, float], None] | None = None
    log: Callable[[dict[str, Any]], None] | None = None


def pretrain(
    name: str,
    out: Path,
    *,
    corpus: str | None = None,
    options: PretrainOptions | None = None,
    watching: Watching | None = None,
) -> dict[str, Any]:
    """Pre-train by the configuration ``name`` (shipped, or a YAML file) in the folder ``out``, or go on there.

    Args:
        name: see :func:`tsprout.train.configuration.read_configuration`.
        out: made if it is not there; a run in it is resumed.
        corpus: folder or URL; not needed where all episodes are synthetic.
        options: see :class:`PretrainOptions`.
        watching: told how it goes, on the first process.

    Raises:
        InputError: configuration, corpus, options or folder cannot be used.
        CheckpointError: the run in ``out`` was made by another configuration.
        MissingExtraError: the extra ``train`` is not installed.
        TrainingError: see :func:`tsprout.train.pretrain.pretrain`.
        TsproutError: it was interrupted or terminated; the state has been saved, and the exit code is 130 or 143.
    """
    import torch

    from tsprout.checkpoint import load
    from tsprout.data.corpus.episodes import StreamConfig
    from tsprout.data.corpus.store import Corpus
    from tsprout.train.configuration import parameter_count, read_configuration, to_yaml
    from tsprout.train.engine import FabricEngine
    from tsprout.train.loop import STATE
    from tsprout.train.pretrain import pretrain as train

    options, watching = options or PretrainOptions(), watching or Watching()
    seconds = None if options.budget is None else parse_budget(options.budget)
    config = options.applied(read_configuration(name, options.overrides))
    check_out(out)
    if corpus is None and not (isinstance(config.stream, StreamConfig) and config.stream.synthetic_share == 1):
        raise InputError("there is no corpus to train on", where="--corpus", fix="Build one: tsprout corpus build.")
    opened = None if corpus is None else Corpus(corpus)
    _check_width(config, opened)
    start = None if options.start_from is None or (out / STATE).exists() else load(options.start_from)
    seen = read_seen(out) if start is None else seen_by(start)
    _check_scoring(config, seen)
    if config.engine.threads:
        torch.set_num_threads(config.engine.threads)
    engine = FabricEngine(config.engine)
    first = engine.rank == 0

    def ready() -> None:
        if first:
            write_file(out / CONFIG, to_yaml(config))
            if start is not None:
                write_file(out / STARTED, json.dumps(seen, indent=1, sort_keys=True))

    working = ExitStack()
    try:
        working.enter_context(holding(out, engine))
        scoring = _scoring(config) if first else None
        if first:
            tidy(out)
            facts = {"parameters": parameter_count(config.model), "processes": engine.world, "seconds": seconds}
            if watching.begin is not None:
                watching.begin({"name": config.name, "steps": config.loop.steps, "device": str(engine.device)} | facts)
        with _signals() as asked:
            found = train(
                config,
                opened,
                out,
                engine=engine,
                seconds=seconds,
                start=start,
                few_shot=scoring,
                board=options.tensorboard,
                log=watching.log if first else None,
                live=watching.live if first else None,
                stop=lambda: asked.number > 0,
                on_ready=ready,
            )
        if found.stopped == "asked":
            error = TsproutError(
                f"stopped at step {found.steps}; the run is kept", where=str(out), fix="The same command goes on there."
            )
            error.exit_code = 128 + (asked.number or signal.SIGINT)
            raise error
        if first:
            write_checkpoint(found, config, opened, out / CHECKPOINT, seen)
    finally:
        working.close()
        engine.close()
    return account(found, config, out, engine.world, str(engine.device))


def _check_width(config: PretrainConfig, corpus: Corpus | None) -> None:
    """Refuse a corpus with wider sets than a model that pads its channels takes, before the first of them comes."""
    widest = max((entry.channels for entry in corpus.sets), default=0) if corpus is not None else 0
    widest = min(widest, max(config.stream.channels)) if hasattr(config.stream, "channels") else widest
    if config.model.channel_mixing == "padded" and widest > config.model.canonical:
        what = f"this model pads channels to {config.model.canonical}, and there are sets of {widest}"
        raise InputError(what, where="--corpus", fix=f"Say --set model.canonical={widest}, or build another corpus.")


def write_checkpoint(
    found: Pretrained, config: PretrainConfig, corpus: Corpus | None, folder: Path, seen: dict[str, str] | None = None
) -> None:
    """Averaged weights and what a reader wants to know of them, as a checkpoint folder that replaces an older one."""
    from tsprout.checkpoint import Checkpoint, save

    checkpoint: Checkpoint = Checkpoint(found.model, facts(found, config, corpus, seen))
    save(checkpoint, folder, force=True)


def facts(
    found: Pretrained, config: PretrainConfig, corpus: Corpus | None, seen: dict[str, str] | None = None
) -> dict[str, Any]:
    """The ``info`` of a pre-trained checkpoint: steps, windows, lengths, channels, sets with rows and licences, ...

    ``seen``: sets that the weights it started from were trained on, with their domains; kept as ``sets_before``.
    """
    from tsprout.data.corpus.episodes import StreamConfig
    from tsprout.train.pretrain import config_to_dict

    entries = {} if corpus is None else {entry.name: entry for entry in corpus.sets}
    licences = {name: entry.licence for name, entry in entries.items()}
    domains = {name: entry.domain for name, entry in entries.items()}
    shape: dict[str, Any] = {}
    if isinstance(config.stream, StreamConfig):
        shape = {
            "lengths": [min(config.stream.lengths), max(config.stream.lengths)],
            "channels": [min(config.stream.channels), max(config.stream.channels)],
            "synthetic_share": config.stream.synthetic_share,
        }
    elif corpus is not None:
        length = getattr(config.stream, "length", None)
        widths = [entry.channels for entry in corpus.sets if entry.name in found.sets]
        shape = {"lengths": [length, length] if length else None, "channels": [min(widths), max(widths)]}
    return {
        "name": config.name,
        "steps": found.steps,
        "windows": found.windows,
        "seconds": round(found.seconds, 1),
        **shape,
        "held_out_loss": found.held_out,
        "sets": {
            name: {"row": row, "licence": licences.get(name, ""), "domain": domains.get(name, "")}
            for row, name in enumerate(found.sets)
        },
        **({"sets_before": dict(sorted(seen.items()))} if seen else {}),
        "validation": found.validation,
        "config": config_to_dict(config),
    }


def account(found: Pretrained, config: PretrainConfig, out: Path, processes: int, device: str) -> dict[str, Any]:
    """What the command answers."""
    return {
        "command": "pretrain",
        "name": config.name,
        "out": str(out),
        "checkpoint": str(out / CHECKPOINT),
        "parameters": found.model.parameter_count,
        "device": device,
        "processes": processes,
        "steps": found.steps,
        "steps_asked": config.loop.steps,
        "stopped": found.stopped,
        "resumed": found.resumed,
        "windows": found.windows,
        "seconds": round(found.seconds, 1),
        "held_out": found.held_out,
        "sets": len(found.sets),
        "rows_matched": None if found.started is None else found.started.matched,
    }


def configurations() -> dict[str, Any]:
    """The shipped configurations with parameters, backbone, steps and what they draw.

    Raises:
        MissingExtraError: the extra ``train`` is not installed.
    """
    from tsprout.data.corpus.episodes import StreamConfig
    from tsprout.train.configuration import parameter_count, read_configuration, shipped

    found = []
    for name in shipped():
        config = read_configuration(name)
        found.append(
            {
                "name": name,
                "parameters": parameter_count(config.model),
                "backbone": config.model.backbone,
                "stream": "episodes" if isinstance(config.stream, StreamConfig) else "windows",
                "steps": config.loop.steps,
                "pieces": config.pieces,
                "precision": config.engine.precision,
            }
        )
    return {"command": "pretrain --list", "configurations": found}


def _check_scoring(config: PretrainConfig, seen: dict[str, str]) -> None:
    """Refuse few-shot scores on sets that would be trained on, or that the weights to begin with have seen.

    ``seen``: see :func:`tsprout.run_folder.seen_by`.
    """
    if not config.few_shot_every:
        return
    from tsprout.train.fewshot import plan

    wanted = plan().domains
    if missing := sorted(set(wanted) - set(config.exclude_domains)):
        raise InputError(
            f"few-shot scores are of sets in domains that would be trained on: {', '.join(missing)}",
            where="training.few_shot_every",
            fix=f"Set training.exclude_domains to [{', '.join(wanted)}], or few_shot_every to 0.",
        )
    if old := sorted(name for name, domain in seen.items() if domain in wanted):
        several = f"{', '.join(old[:4])}{' and others' if len(old) > 4 else ''}"
        raise InputError(
            f"few-shot scores are of sets in domains that the checkpoint to start from was trained on: {several}",
            where="--start-from",
            fix=f"Start from one trained without {', '.join(wanted)}, or set training.few_shot_every to 0.",
        )


def _scoring(config: PretrainConfig) -> FewShot | None:
    if not config.few_shot_every:
        return None
    from tsprout.train.fewshot import FewShotValidation, prepare

    scoring: FewShot = FewShotValidation(prepare())
    return scoring


class _Asked:
    """Which signal has asked to stop; 0: none."""

    number = 0


@contextmanager
def _signals() -> Iterator[_Asked]:
    """Ctrl-C and SIGTERM only ask; the second one stops at once."""
    asked = _Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: object) -> None:
        asked.number = number
        restore()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()

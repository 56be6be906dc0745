"""``tsprout pretrain``: the same command on a laptop, on several GPUs, and under torchrun or SLURM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tsprout.console import Console
from tsprout.errors import InputError
from tsprout.options import verb

_ENGINE = "How it is carried (what the configuration says where not given)"


def _engine(*names: str, **more: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_ENGINE, **more)


@verb
def pretrain(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="YAML file, or a name of --list.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="Folder of the run; resumed if there is one.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(metavar="CORPUS", help="Folder or URL of a corpus.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in all, earlier runs included.")] = None,
    budget: Annotated[str | None, typer.Option(help="Stop this run after so long: 30m, 2h, 1d.")] = None,
    start_from: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Begin with the weights of a checkpoint.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard too.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the shipped configurations and leave.")] = False,
    devices: Annotated[int | None, _engine(min=1, help="GPUs, or processes, of this machine.")] = None,
    nodes: Annotated[int | None, _engine(min=1, help="Machines.")] = None,
    precision: Annotated[str | None, _engine(help="auto, 32, or bf16 (mixed).")] = None,
    workers: Annotated[int | None, _engine(min=0, help="Processes that draw ahead, for each.")] = None,
    threads: Annotated[int | None, _engine(min=1, help="Threads of each process.")] = None,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Pre-train a model on a corpus; the same command again goes on where a run was broken off."""
    from tsprout import pretraining, render_pretrain
    from tsprout.train.engine import launched_rank

    if listing:
        found = pretraining.configurations()
        render_pretrain.listed(console, found)
        return found
    if config is None or out is None:
        raise InputError(
            "a configuration and a folder are needed",
            fix="For example: tsprout pretrain small --corpus corpus/ -o run/. See tsprout pretrain --list.",
        )
    helper = launched_rank() > 0
    if helper:
        console.as_json, console.quiet = False, True
    options = pretraining.PretrainOptions(
        steps, budget, devices, nodes, precision, workers, threads, tensorboard, start_from, tuple(overrides or ())
    )
    with render_pretrain.watched(console) as watching:
        account = pretraining.pretrain(config, out, corpus=corpus, options=options, watching=watching)
    if not helper:
        render_pretrain.pretrained(console, account)
    return account

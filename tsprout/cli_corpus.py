"""``tsprout corpus``: pre-training corpora."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tsprout.console import Console
from tsprout.job_options import ReaderOptions
from tsprout.options import Force, Seed, verb

corpus = typer.Typer(help="Build a pre-training corpus of many data sets, and look into one.", no_args_is_help=True)


@corpus.command()
@verb
def build(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder to make.", show_default=False)],
    only: Annotated[list[str] | None, typer.Option("--set", help="Only this set; give it again for more.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave this set out; give it again for more.")] = None,
    add: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Series of your own, as a set; give it again for more.")
    ] = None,
    only_added: Annotated[bool, typer.Option("--only-added", help="Only the files of --add.")] = False,
    any_licence: Annotated[
        bool, typer.Option("--any-licence", help="Also sets whose licence kept them out of the bundled model.")
    ] = False,
    seed: Seed = 0,
    force: Force = False,
    *,
    reader: ReaderOptions,
    console: Console,
) -> Mapping[str, Any]:
    """Build a corpus of the data sets that are here, and of files of your own."""
    from tsprout import corpora, render_corpus

    with console.progress() as progress:
        account = corpora.build(
            out,
            only=only or (),
            exclude=exclude or (),
            files=add or (),
            files_only=only_added,
            reader=reader,
            any_licence=any_licence,
            force=force,
            seed=seed,
            progress=progress,
        )
    render_corpus.built(console, account)
    return account


@corpus.command()
@verb
def info(
    place: Annotated[str, typer.Argument(metavar="CORPUS", help="Folder or URL of a corpus.", show_default=False)],
    temperature: Annotated[float, typer.Option(help="1 draws sets by size, a large one all alike.")] = 5.0,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Say what is in a corpus, and how often each set is drawn."""
    from tsprout import corpora, render_corpus

    account = corpora.info(place, temperature=temperature)
    render_corpus.info(console, account)
    return account

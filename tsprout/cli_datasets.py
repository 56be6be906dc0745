"""``tsprout datasets``: list, describe and pull public data sets, and draw shots from one. No logic here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tsprout.console import Console
from tsprout.limits import MAX_SEED
from tsprout.options import Force, verb

datasets = typer.Typer(
    help="Public data sets: what there is, what lies here, how to get it.", no_args_is_help=True, add_completion=False
)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names as tsprout datasets ls shows them.")]
Role = Annotated[str | None, typer.Option(help="Only sets of this role: eval, pretrain or extra.")]


@datasets.command()
@verb
def ls(
    role: Role = None,
    domain: Annotated[str | None, typer.Option(help="Only sets of this domain, such as energy.")] = None,
    here: Annotated[bool, typer.Option("--here", help="Only sets that need not be fetched.")] = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """List the sets of the catalogue."""
    from tsprout import datasets as jobs
    from tsprout import render_datasets as render

    account = jobs.ls(role=role, domain=domain, here=here)
    render.ls(console, account)
    return account


@datasets.command()
@verb
def info(names: Names, *, console: Console) -> Mapping[str, Any]:
    """Say all that is known of a set, and whether what lies here is whole."""
    from tsprout import datasets as jobs
    from tsprout import render_datasets as render

    account = jobs.info(names)
    render.info(console, account)
    return account


@datasets.command()
@verb
def pull(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Sets to fetch.")] = None,
    role: Annotated[str | None, typer.Option(help="All sets of a role: eval, pretrain or extra.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All sets of the catalogue.")] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Data folder; TSPROUT_DATA or the cache where not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched, and where to.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Fetch sets again that are here already.")] = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Fetch sets from where the public has them, and check that they are the right ones."""
    from tsprout import datasets as jobs
    from tsprout import render_datasets as render

    with console.progress() as progress:
        account = jobs.pull(names or (), role=role, every=every, to=to, dry_run=dry_run, force=force, progress=progress)
    render.pull(console, account)
    return account


@datasets.command()
@verb
def shots(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A set.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to make.", show_default=False)],
    count: Annotated[str, typer.Option("-k", "--shots", help="How many shots: a number, or a share such as 5%.")],
    protocol: Annotated[str, typer.Option(help="strict, or paper (that of arXiv 2505.20446).")] = "strict",
    length: Annotated[int, typer.Option(help="Steps of every series.")] = 24,
    seed: Annotated[
        int | None, typer.Option(min=0, max=MAX_SEED, help="Of what is drawn; the protocol's own where not given.")
    ] = None,
    held_out: Annotated[
        Path | None, typer.Option("--held-out", metavar="FILE", help="Also write the series to compare with.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option("--validation", metavar="FILE", help="Also write the series to choose settings with.")
    ] = None,
    force: Force = False,
    *,
    console: Console,
) -> Mapping[str, Any]:
    """Draw a few real series of a set into a file, as a model may see them; its extension chooses the format."""
    from tsprout import dataset_shots as jobs
    from tsprout import render_datasets as render

    account = jobs.shots(
        name,
        out,
        count=count,
        protocol=protocol,
        length=length,
        seed=seed,
        held_out=held_out,
        validation=validation,
        force=force,
    )
    render.shots(console, account)
    return account

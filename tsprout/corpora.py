"""Jobs on pre-training corpora: build one from the data sets that are here, and say what is in one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.errors import InputError
from tsprout.job_options import ReaderOptions
from tsprout.progress import Progress
from tsprout.staging import check_folder, check_space, staged_folder

if TYPE_CHECKING:
    from tsprout.data.catalog.entry import Entry
    from tsprout.data.corpus.store import Corpus

OURS = ("corpus.json", "pieces.parquet", "shard-*.arrow")


def build(
    out: Path,
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    files: Sequence[Path] = (),
    files_only: bool = False,
    reader: ReaderOptions | None = None,
    any_licence: bool = False,
    force: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Build a corpus in the folder ``out``; the account says what is in it, what is left out, and why.

    Raises:
        InputError: see :func:`tsprout.data.corpus.build.plan` and :func:`~tsprout.data.corpus.build.build`; or the
            output cannot be made.
    """
    from tsprout.data.corpus import build as builder
    from tsprout.data.corpus.store import Corpus
    from tsprout.data.files import read

    options = reader or ReaderOptions()
    if ":/" in str(out):
        raise InputError("a corpus is built in a local folder", where=str(out), fix="Build it there, then copy it.")
    check_folder(out, OURS, force=force)
    chosen = builder.plan(only=only, exclude=exclude, files=files, files_only=files_only, any_licence=any_licence)
    check_space(out, 4 * sum(map(_cells, chosen.entries)))
    with staged_folder(out, OURS, force=force) as stage:
        builder.build(chosen, stage, seed=seed, read=lambda path: read(path, **options.to_dict()), progress=progress)
    left = {"left_out": chosen.left_out, "absent": chosen.absent}
    return {"command": "corpus build"} | describe(Corpus(out)) | left


def _cells(entry: Entry) -> int:
    """Fewest cells that a set has here: of the smaller split of instances, 0 where not known."""
    size = entry.size if entry.pack is None else entry.pack.size
    series = [n * (size.length or 0) for n in (size.train, size.test) if n]
    return (size.steps or min(series, default=0)) * size.channels


def info(path: str, *, temperature: float = 5.0) -> dict[str, Any]:
    """What is in a corpus, and how often each set is drawn at a temperature.

    Raises:
        InputError: there is no corpus at ``path`` (folder or URL), or the temperature makes no sense.
    """
    from tsprout.data.corpus.episodes import check_temperature
    from tsprout.data.corpus.store import Corpus

    check_temperature(temperature)
    return {"command": "corpus info"} | describe(Corpus(path), temperature)


def describe(corpus: Corpus, temperature: float = 5.0) -> dict[str, Any]:
    """Sets and domains with sizes and shares of the draws; ``share`` is of univariate series of 24 steps."""
    import numpy as np

    from tsprout.data.corpus.draw import SetReader
    from tsprout.data.corpus.episodes import cumulative_odds

    readers = [SetReader(corpus, entry.name) for entry in corpus.sets if not entry.held_out]
    odds = cumulative_odds(readers, 1, 24, temperature) if readers else None
    shares = {} if odds is None else dict(zip([r.entry.name for r in readers], np.diff(odds, prepend=0), strict=True))
    sets: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "domain": entry.domain,
            "kind": "instances" if entry.instances else "recordings",
            "series": entry.pieces,
            "channels": entry.channels,
            "values": entry.values,
            "held_out": entry.held_out,
            "licence": entry.licence,
            "share": float(shares.get(entry.name, 0.0)),
        }
        for entry in corpus.sets
    ]
    domains: dict[str, dict[str, Any]] = {}
    for found in sets:
        domain = domains.setdefault(found["domain"], {"sets": 0, "values": 0, "share": 0.0})
        domain["sets"] += 1
        domain["values"] += found["values"]
        domain["share"] += found["share"]
    return {
        "corpus": corpus.path,
        "sets": sets,
        "domains": dict(sorted(domains.items())),
        "values": corpus.values,
        "bytes": int(corpus.shard_bytes.sum()),
        "shards": len(corpus.shards),
        "temperature": temperature,
    }

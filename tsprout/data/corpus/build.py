"""From data sets to a corpus: which are taken, what is refused, and the little that is done to their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tsprout.data.catalog.entry import Catalogue, Entry, catalogue
from tsprout.data.catalog.folders import data_folders
from tsprout.data.catalog.sets import RealSet, find, load_set
from tsprout.data.corpus import guard
from tsprout.data.corpus.store import StoredSet
from tsprout.data.corpus.writer import CorpusWriter
from tsprout.errors import InputError
from tsprout.series import SeriesSet

SHORTEST = 16
LONGEST = 1024
OWN = "own"


@dataclass
class Plan:
    """What would go into a corpus: entries of the catalogue, files of the user's, and what is left out and why."""

    entries: list[Entry] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)


def plan(
    *,
    only: Sequence[str] = (),
    exclude: Sequence[str] = (),
    files: Sequence[Path] = (),
    files_only: bool = False,
    any_licence: bool = False,
    folders: tuple[Path, ...] | None = None,
    known: Catalogue | None = None,
) -> Plan:
    """Choose sets: those named in ``only``, or every one of the catalogue that is here and may be trained on.

    Args:
        only, exclude: names.
        files: series of the user's own, in any format that tsprout reads; each a set named like its file.
        files_only: none of the catalogue's.
        any_licence: also those that the bundled corpus leaves out for their licence (never near copies of evaluation
            sets).
        folders, known: data folders and catalogue, if not the usual ones.

    Raises:
        InputError: an evaluation set or a near copy is asked for by name, a set named in ``only`` is not here, or
            nothing is left.
    """
    places = data_folders() if folders is None else folders
    entries = catalogue(*places) if known is None else known
    out = Plan(files=[Path(f) for f in files])
    without = {entries[name].name for name in exclude}
    named = {entries[name].name: entries[name] for name in only}
    every = [] if files_only else [e for e in entries.values() if e.role != "eval"]
    for entry in list(named.values()) or every:
        reason = _barred(entry, any_licence)
        if entry.name in without:
            reason = "excluded by the caller"
        if reason:
            if only and entry.name not in without:
                fix = "Take it all the same with --any-licence." if reason == entry.left_out else "Leave it out."
                raise InputError(f"{entry.name} cannot be in a corpus: {reason}", fix=fix)
            out.left_out[entry.name] = reason
        elif find(entry, places) is None:
            out.absent.append(entry.name)
        else:
            out.entries.append(entry)
    if only and out.absent:
        wanted = " ".join(out.absent)
        raise InputError(f"not here: {', '.join(out.absent)}", fix=f"tsprout datasets pull {wanted} fetches it.")
    if not out.entries and not out.files:
        raise InputError(
            "there is no data set to build a corpus of",
            where=", ".join(map(str, places)),
            fix="Fetch some with tsprout datasets pull --role pretrain, or give files of your own.",
        )
    names = [path.stem for path in out.files]
    taken = {e.name.lower() for e in out.entries} | {e.name.lower() for e in entries.of_role("eval")}
    for path in out.files:
        if names.count(path.stem) > 1 or path.stem.lower() in taken:
            raise InputError(f"a set is called {path.stem!r} already", where=str(path), fix="Rename the file.")
    out.entries.sort(key=lambda e: e.name)
    return out


def _barred(entry: Entry, any_licence: bool) -> str:
    if entry.role == "eval":
        return "it is an evaluation set"
    if entry.near:
        return f"it records the same as the evaluation set {', '.join(entry.near)}"
    return "" if any_licence else entry.left_out


def build(
    chosen: Plan,
    folder: Path,
    *,
    seed: int = 0,
    folders: tuple[Path, ...] | None = None,
    known: Catalogue | None = None,
    read: Callable[[Path], SeriesSet] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[StoredSet]:
    """Write the corpus of a plan into an existing, empty folder.

    Args:
        chosen: of :func:`plan`.
        folder: for :class:`~tsprout.data.corpus.store.Corpus`.
        seed: of the order in which the series of a set are stored.
        folders, known: data folders and catalogue, if not the usual ones.
        read: reads a file of the user's; :func:`tsprout.data.files.read` by default.
        progress: called with ``("build", sets done, sets)``.

    Raises:
        InputError: a set holds values of an evaluation set, whatever it is called, or cannot be read.
    """
    from tsprout.data import files

    entries = catalogue(*(data_folders() if folders is None else folders)) if known is None else known
    total = len(chosen.entries) + len(chosen.files)
    with CorpusWriter(folder) as writer:
        for number, entry in enumerate(chosen.entries):
            real = load_set(entry.name, folders=folders, known=entries)
            pieces, labels = _shuffled(*_of(real), np.random.default_rng([seed, number]))
            _refuse_copies(entry.name, real.recordings or pieces, real.digest, entries)
            facts = {"licence": entry.licence, "held_out": entry.held_out, "digest": real.digest}
            if not pieces:
                chosen.left_out[entry.name] = f"no recording has {SHORTEST} steps"
            else:
                tamed = (tame(piece) for piece in pieces) if real.recordings else iter(pieces)
                instances = not real.recordings
                writer.add(entry.name, tamed, domain=entry.domain, instances=instances, labels=labels, **facts)
            _tell(progress, number + 1, total)
        for number, path in enumerate(chosen.files, len(chosen.entries)):
            series = (files.read if read is None else read)(path)
            own = [v[:, :n] for v, n in zip(series.values, series.lengths, strict=True) if n >= SHORTEST]
            _refuse_copies(str(path), own, "", entries)
            # Many short series of one length are series; a few long ones are recordings, windows are cut from them.
            equal = len({piece.shape[1] for piece in own}) == 1 and len(own) > 1 and own[0].shape[1] <= LONGEST
            own, _ = _shuffled(own, None, np.random.default_rng([seed, number]))
            if not own:
                raise InputError(f"no series has {SHORTEST} steps", where=str(path), fix="Leave the file out.")
            pieces = own if equal else [tame(piece) for piece in own]
            writer.add(path.stem, pieces, domain=OWN, instances=equal, source=path.name)
            _tell(progress, number + 1, total)
        if not writer.sets:
            raise InputError(f"there is nothing to store: no recording has {SHORTEST} steps", fix="Name other sets.")
    return writer.sets


def _tell(progress: Callable[[str, int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress("build", done, total)


def _of(real: RealSet) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Pieces ``(channels, steps)`` of a set, and the numbers of their classes where there are any."""
    if real.recordings:
        return [r for r in real.recordings if r.shape[1] >= SHORTEST], None
    values, labels = real.instances()
    pieces = [_trimmed(x) for x in values]
    return pieces, None if labels is None else np.unique(labels, return_inverse=True)[1]


def _trimmed(piece: np.ndarray) -> np.ndarray:
    seen = np.flatnonzero(np.isfinite(piece).any(axis=0))
    return piece[:, : seen[-1] + 1] if len(seen) else piece


def _shuffled(
    pieces: list[np.ndarray], labels: np.ndarray | None, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """In random order, so that a record batch is a fair sample of its set."""
    order = rng.permutation(len(pieces))
    return [pieces[i] for i in order], None if labels is None else labels[order]


def _refuse_copies(name: str, pieces: Sequence[np.ndarray], digest: str, entries: Catalogue) -> None:
    same = [e.name for e in entries.of_role("eval") if digest and e.content.digest == digest]
    found = same or list(guard.overlaps(pieces))
    if found:
        raise InputError(
            f"{name} holds values of the evaluation set {', '.join(found)}; nothing may be trained on them",
            fix="Leave it out.",
        )


def tame(values: np.ndarray) -> np.ndarray:
    """Heavy-tailed channels made milder, as the scaler does for a user: ``(channels, time)`` to the same shape.

    Infinite cells become missing.
    """
    out = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    for channel in out:
        seen = channel[np.isfinite(channel)]
        if len(seen) < 8:
            continue
        low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95])
        spread = high - low
        if spread <= 0:
            continue
        peak = np.abs(seen - middle).max() / spread
        skew = (high - middle) / max(middle - low, 1e-6 * spread)
        if seen.min() >= 0 and skew > 4:
            channel[:] = np.log1p(channel / max(seen.mean(), 1e-12))
        elif peak > 8:
            channel[:] = np.arcsinh((channel - middle) / (spread / 3))
    return out

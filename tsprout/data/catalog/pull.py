"""Fetch a public set from its source, check that it is the one the catalogue knows, and keep it as one file.

::

    <folder>/downloads/<name>/<file>     files of the source, on their way; removed once the set is complete
    <folder>/<role>/<name>.npz           the set (:mod:`tsprout.data.catalog.sets`)
    <folder>/<role>/<name>.json          its receipt: addresses, checksums, digest of the values, version of tsprout

A file put into the downloads by hand is used as if it had been fetched, and left there. The set appears whole or not at
all; what has come of a download that was broken off stays, and the next attempt goes on from there.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import numpy as np

from tsprout.data.catalog import sets
from tsprout.data.catalog._keep import keep, writing
from tsprout.data.catalog._needs import needs
from tsprout.data.catalog.content import agreement
from tsprout.data.catalog.entry import Catalogue, Entry, catalogue
from tsprout.data.catalog.folders import cache_folder, data_folders
from tsprout.errors import InputError, TsproutError
from tsprout.progress import Progress

DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Fetch:
    """One file of a source: its address, where it goes, whether it is there, and the bytes that are, or are so far."""

    url: str
    path: Path
    there: bool
    bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class Pulled:
    """The account of one set: where it lies now, or, after a dry run, would lie.

    ``bytes``: of the file. ``was_there``: nothing had to be done. ``complete``: it lies there and is whole.
    ``agreement``: of its values with the catalogue (:mod:`tsprout.data.catalog.content`); ``exact``: to the last bit.
    ``files``: of the source, as they were then. ``needs``: an extra that is not installed.
    """

    name: str
    path: Path
    bytes: int = 0
    urls: tuple[str, ...] = ()
    generator: str = ""
    digest: str | None = None
    was_there: bool = False
    complete: bool = False
    agreement: str = ""
    files: tuple[Fetch, ...] = ()
    needs: str = ""

    @property
    def exact(self) -> bool:
        """Whether its values are those of the catalogue to the last bit."""
        return self.agreement == "exact"


def pull(
    entry: Entry | str,
    folder: Path | None = None,
    *,
    progress: Progress | None = None,
    dry_run: bool = False,
    force: bool = False,
    keep_downloads: bool = False,
    known: Catalogue | None = None,
    attempts: int = 5,
    wait: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Fetch or make one set, unless it is there already, complete and unharmed.

    Args:
        entry: the set, or its name in ``known``.
        folder: the data folder it goes to, and the only one looked at; otherwise it is looked for in all data folders,
            and goes to the cache.
        progress: called with ``"fetching"``, and the bytes so far and in all (0 while unknown) of one file; also with
            ``"files"``, those done and all, where there are several.
        dry_run: only say what would be done; no network is used and nothing is written.
        force: pull it although it is there.
        keep_downloads: do not remove the source's files at the end.
        known: the catalogue; the bundled one with the data folders' own additions by default.
        attempts, wait: of every download; see :func:`tsprout.data.catalog.download.download`.

    Raises:
        InputError: the source's values are not those of the catalogue, a file cannot be read, or the folder written.
        MissingExtraError: what reads its files, or simulates it, is not installed; nothing has been fetched then.
        TsproutError: a file could not be fetched (with where to put it by hand), or the disk is full.
    """
    if isinstance(entry, str):
        entry = (catalogue(*data_folders()) if known is None else known)[entry]
    source = entry.source
    if not force and (found := there(entry, data_folders() if folder is None else (folder,))):
        return found
    goal = cache_folder() if folder is None else folder
    target = sets.place(entry, goal)
    plan = planned(entry, goal)
    if not plan and not source.generator:
        raise InputError(
            f"the catalogue names no source for {entry.name}",
            where=source.page or None,
            fix=f"Put the set at {target}; tsprout.data.catalog.sets says which arrays it holds.",
        )
    missing = needs(entry)
    if dry_run:
        told = None if missing is None else f"{missing.what}; {missing.fix}"
        return Pulled(entry.name, target, 0, source.urls, source.generator, files=plan, needs=told or "")
    if missing is not None:
        raise missing
    with writing(goal):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            pass  # that the folder may be written must be known before an hour of downloading
    checksums = _fetch(entry, plan, progress, attempts, wait)
    arrays = _read(entry, plan)
    digest, state = check(entry, arrays, target)
    if "channels" not in arrays and entry.channel_names:
        arrays["channels"] = np.array(entry.channel_names)
    downloads = [{"url": f.url, "file": f.path.name, "sha256": s} for f, s in zip(plan, checksums, strict=True)]
    receipt = {"generator": source.generator} if source.generator else {"urls": list(source.urls)}
    with writing(goal):
        keep(
            target,
            arrays,
            receipt | {"downloads": downloads, "digest": digest, "exact": state == "exact", "agreement": state},
        )
        if not keep_downloads:
            _tidy(plan)
        size = target.stat().st_size
    return Pulled(
        entry.name, target, size, source.urls, source.generator, digest, complete=True, agreement=state, files=plan
    )


def there(entry: Entry, folders: tuple[Path, ...]) -> Pulled | None:
    """The account of a set whose first file in the folders is complete and unharmed.

    A later file does not count: what lies before it would still be damaged, or only a part.
    """
    path = sets.find(entry, folders)
    if path is None:
        return None
    try:
        found = sets.load_set(entry.name, folders=(path.parent.parent,), known=Catalogue([entry]))
    except InputError:
        return None
    if not found.complete:
        return None
    account = Pulled(entry.name, path, path.stat().st_size, entry.source.urls, entry.source.generator)
    return replace(account, digest=found.digest, was_there=True, complete=True, agreement=found.agreement)


def planned(entry: Entry, folder: Path) -> tuple[Fetch, ...]:
    """The files of a set's source, each with a place of its own in the downloads of a data folder."""
    urls = () if entry.source.generator else entry.source.urls
    checksums = entry.source.sha256 if len(entry.source.sha256) == len(urls) else (None,) * len(urls)
    plan: list[Fetch] = []
    for number, (url, sha256) in enumerate(zip(urls, checksums, strict=True), 1):
        name = file_name(url) or "file"
        if name.lower() in {other.path.name.lower() for other in plan}:
            name = f"{number}-{name}"
        path = folder / DOWNLOADS / entry.name / name
        part = path.with_name(f"{name}.part")
        size = next((p.stat().st_size for p in (path, part) if p.is_file()), 0)
        plan.append(Fetch(url, path, path.is_file(), size, sha256 or None))
    return tuple(plan)


def file_name(url: str) -> str:
    """The last part of an address as a file name that every system takes; empty where it has none."""
    last = PurePosixPath(urlsplit(url).path).name
    return re.sub(r"[^\w.()+ -]+", "_", unquote(last)).strip(" .")[-100:]


def check(entry: Entry, arrays: Mapping[str, np.ndarray], target: Path) -> tuple[str, str]:
    """Hold arrays to the size and the content of the catalogue.

    Returns:
        the digest of the values, and how far they agree (:mod:`tsprout.data.catalog.content`).

    Raises:
        InputError: they are of another size, or other values.
    """
    found = sets.parse(entry, arrays, target)
    if sets.size_differs(entry, found.size):
        raise InputError(
            f"the source of {entry.name} has {found.size}, and {entry.size} were expected",
            where=", ".join(entry.source.urls) or entry.source.generator,
            fix="The source has changed; it is not used. Please report it.",
        )
    state = agreement(entry, arrays, target, found.digest)
    if state == "unverified" and entry.source.sha256:
        state = "files"
    return found.digest, state


def _fetch(
    entry: Entry, plan: tuple[Fetch, ...], progress: Progress | None, attempts: int, wait: Callable[[float], None]
) -> list[str]:
    """The checksums of the source's files once they are all there."""
    from tsprout.data.catalog.download import download

    def report(done: int, total: int | None) -> None:
        if progress is not None:
            progress("fetching", done, total or 0)

    found = []
    for place, fetch in enumerate(plan):
        if progress is not None and len(plan) > 1:
            progress("files", place, len(plan))
        before = fetch.path.stat().st_mtime_ns if fetch.path.is_file() else None
        try:
            options = {"sha256": fetch.sha256, "progress": report, "attempts": attempts, "wait": wait}
            found.append(download(fetch.url, fetch.path, **options))  # type: ignore[arg-type]
        except TsproutError as error:
            rest = [other for other in plan[place + 1 :] if not other.path.is_file()]
            if rest:
                places = "".join(f"\n{other.url}\n  -> {other.path}" for other in rest)
                error.fix = f"{error.fix or ''}\nThese are needed as well:{places}".lstrip()
            if entry.source.page:
                error.fix = f"{error.fix or ''}\nThe set's page: {entry.source.page}".lstrip()
            raise
        if fetch.path.stat().st_mtime_ns != before:
            with suppress(OSError):
                _mark(fetch.path).touch()
    return found


def _mark(path: Path) -> Path:
    """A file that says that a download was fetched by us, and may be removed; one put there by hand has none."""
    return path.with_name(f"{path.name}.fetched")


def _read(entry: Entry, plan: tuple[Fetch, ...]) -> dict[str, np.ndarray]:
    """The arrays of a set, made or read from its source's files."""
    if entry.source.generator:
        from tsprout.data.catalog.generated import generate

        return generate(entry)
    from tsprout.data.catalog.formats import read_source

    try:
        return dict(read_source(entry, [fetch.path for fetch in plan]))
    except InputError as error:
        again = f"Remove what is in {plan[0].path.parent} to have it fetched again."
        error.fix = f"{error.fix or ''}\n{again}".lstrip()
        raise


def _tidy(plan: tuple[Fetch, ...]) -> None:
    """Remove the downloads that we fetched, and the folders where nothing else is left."""
    for fetch in plan:
        if _mark(fetch.path).is_file():
            fetch.path.unlink(missing_ok=True)
            _mark(fetch.path).unlink(missing_ok=True)
    for folder in dict.fromkeys(p for f in plan for p in (f.path.parent, f.path.parent.parent)):
        with suppress(OSError):
            folder.rmdir()

"""The jobs behind ``tsprout datasets``: list, describe and pull public data sets.

Every function returns a plain account. A job over several sets goes on where one of them fails, and accounts for the
failures at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsprout.errors import InputError, TsproutError
from tsprout.progress import Progress
from tsprout.staging import from_os_error

if TYPE_CHECKING:
    from tsprout.data.catalog.entry import Catalogue, Entry
    from tsprout.data.catalog.pull import Pulled


INTERRUPTED = 130
ATTEMPTS = 5  # at every download; after one that came to nothing, the next sets get LATER
LATER = 1


def known_sets() -> Catalogue:
    """The bundled catalogue, with what the data folders add.

    Raises:
        InputError: an addition cannot be read.
    """
    from tsprout.data.catalog.entry import catalogue
    from tsprout.data.catalog.folders import data_folders

    return catalogue(*data_folders())


def chosen(
    names: Sequence[str] = (), *, role: str | None = None, domain: str | None = None, every: bool = False
) -> list[Entry]:
    """The sets of these names; with a role or a domain, or with ``every``, all of that kind.

    Raises:
        InputError: an unknown name, role or domain.
    """
    from tsprout.data.catalog.entry import DOMAINS, ROLES

    known = known_sets()
    for value, possible, what in ((role, ROLES, "role"), (domain, DOMAINS, "domain")):
        if value not in (None, *possible):
            raise InputError(
                f"there is no {what} {value!r}", where=f"--{what}", fix=f"Choose from {', '.join(possible)}."
            )
    found = {entry.name: entry for entry in (known[name] for name in names)}
    if every or role is not None or domain is not None:
        more = (e for e in known.values() if role in (None, e.role) and domain in (None, e.domain))
        found |= {entry.name: entry for entry in more}
    return list(found.values())


def ls(*, role: str | None = None, domain: str | None = None, here: bool = False) -> dict[str, Any]:
    """What ``tsprout datasets ls`` answers: the sets of the catalogue, by role, and which of them lie here.

    Raises:
        InputError: an unknown role or domain, or a catalogue that cannot be read.
    """
    from tsprout.data.catalog.entry import ROLES
    from tsprout.data.catalog.folders import data_folders

    entries = sorted(chosen(role=role, domain=domain, every=True), key=lambda e: (ROLES.index(e.role), e.name.lower()))
    rows = [brief(entry) for entry in entries]
    return {
        "command": "datasets ls",
        "folders": [str(folder) for folder in data_folders()],
        "sets": [row for row in rows if row["here"] or not here],
    }


def brief(entry: Entry) -> dict[str, Any]:
    """A set in one line. ``here`` is ``here``, ``partial``, ``made`` (when it is needed) or null."""
    from tsprout.data.catalog.sets import presence

    state, path = presence(entry)
    return {
        "name": entry.name,
        "role": entry.role,
        "domain": entry.domain,
        "size": {key: value for key, value in asdict(entry.size).items() if value is not None},
        "sampling": entry.sampling or None,
        "here": state or None,
        "path": None if path is None else str(path),
    }


def info(names: Sequence[str]) -> dict[str, Any]:
    """What ``tsprout datasets info`` answers: all that is known of the sets, and whether what lies here is whole.

    Raises:
        InputError: an unknown name.
    """
    return {"command": "datasets info", "sets": [described(entry) for entry in chosen(names)]}


def described(entry: Entry) -> dict[str, Any]:
    """All that the catalogue knows of a set, and how it lies here.

    ``damaged``: what is wrong with its file; ``instead``: the file of a later folder that is used in its place.
    ``agreement``: of the values with the catalogue. ``found``: what the catalogue could know of them, and does not.
    """
    from tsprout.data.catalog import sets
    from tsprout.data.catalog.content import described as facts_of
    from tsprout.data.catalog.folders import cache_folder

    about = {**brief(entry), **{k: v for k, v in asdict(entry).items() if k not in ("name", "role", "domain", "size")}}
    about["shape"] = str(entry.size)
    about["goes_to"] = str(sets.place(entry, cache_folder()))
    about |= dict.fromkeys(("digest", "damaged", "instead", "agreement", "found"))
    about["partial"] = entry.pack.partial if entry.pack is not None and about["here"] == "partial" else ""
    about["complete"] = about["here"] == "made"
    if about["path"] is None:
        return about
    first, known = Path(about["path"]).parents[1], known_sets()
    try:
        real = sets.load_set(entry.name, folders=(first,), known=known)
    except InputError as error:
        about["damaged"] = error.what
        try:
            real = sets.load_set(entry.name, known=known)
        except InputError:
            return about
        about["instead"] = str(real.path)
    about |= {"digest": real.digest, "agreement": real.agreement or None, "complete": real.complete}
    about["partial"] = real.partial
    if real.complete and entry.content.digest is None and real.path is not None:
        about["found"] = facts_of(sets.read_arrays(real.path))
    return about


def pull(
    names: Sequence[str] = (),
    *,
    role: str | None = None,
    every: bool = False,
    to: str | Path | None = None,
    dry_run: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Pull sets from their sources, one after the other; see :func:`tsprout.data.catalog.pull.pull`.

    Args:
        names: sets; with ``role`` also all of that role, with ``every`` all there are.
        to: the data folder; the cache where not given.

    Returns:
        an account of what was pulled and what failed; ``ok`` is false where anything did.

    Raises:
        InputError: an unknown name, or no set at all.
        TsproutError: the only set asked for could not be pulled, or the user has interrupted it (exit code 130).
    """
    from tsprout.data.catalog.folders import VARIABLE, cache_folder, data_folders

    wanted = chosen(names, role=role, every=every)
    if not wanted:
        raise InputError(
            "no data set was named", fix="Name some (see tsprout datasets ls), or ask for --role or --all."
        )
    folder = None if to is None else Path(to)
    pulled: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    attempts = ATTEMPTS
    for number, entry in enumerate(wanted):
        if progress is not None and len(wanted) > 1:
            progress("data sets", number, len(wanted))
        try:
            account = _pull_one(entry, folder, dry_run=dry_run, force=force, progress=progress, attempts=attempts)
        except TsproutError as error:
            if len(wanted) == 1 or error.exit_code == INTERRUPTED:
                raise
            attempts = LATER
            failed.append({"name": entry.name, "what": error.what, "where": error.where, "fix": error.fix})
            continue
        attempts = ATTEMPTS if account["urls"] and not account["was_there"] else attempts
        pulled.append(account)
    elsewhere = folder is not None and folder.resolve() not in [place.resolve() for place in data_folders()]
    return {
        "command": "datasets pull",
        "ok": not failed,
        "folder": str(folder or cache_folder()),
        "dry_run": dry_run,
        "pulled": pulled,
        "failed": failed,
        "notes": [f"tsprout looks for sets there only with {VARIABLE}={folder}"] if elsewhere and pulled else [],
    }


def _pull_one(
    entry: Entry, folder: Path | None, *, dry_run: bool, force: bool, progress: Progress | None, attempts: int
) -> dict[str, Any]:
    """The account of one pulled set in plain values; whatever stops it is a :class:`TsproutError`."""
    from tsprout.data.catalog.folders import cache_folder
    from tsprout.data.catalog.pull import DOWNLOADS
    from tsprout.data.catalog.pull import pull as pull_set

    try:
        options: dict[str, Any] = {"progress": progress, "dry_run": dry_run, "force": force, "attempts": attempts}
        found: Pulled = pull_set(entry, folder, **options)
    except OSError as error:
        raise from_os_error(error) from None
    except KeyboardInterrupt:
        downloads = (folder or cache_folder()) / DOWNLOADS / entry.name
        kept = f"; what has come so far stays in {downloads}" if downloads.is_dir() else ""
        stopped = TsproutError(
            f"interrupted; no data set is left half-written{kept}", fix="The same command goes on from there."
        )
        stopped.exit_code = INTERRUPTED
        raise stopped from None
    account = asdict(found)
    account["path"], account["exact"] = str(found.path), found.exact
    account["files"] = [{**asdict(fetch), "path": str(fetch.path)} for fetch in found.files]
    size = entry.size
    steps = size.steps or ((size.train or 0) + (size.test or 0)) * (size.length or 0)
    return {**account, "dry_run": dry_run, "value_bytes": 4 * steps * size.channels}

"""The accounts of ``tsprout datasets`` as a person reads them; a list fits into 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tsprout.console import Console
from tsprout.render import counted
from tsprout.staging import readable_bytes

LABEL = 14
FEW = 6  # addresses that are shown
AGREEMENT = {
    "exact": "",
    "close": "its values equal to the catalogue's within rounding",
    "part": "of its values only a part is known, and is right",
    "files": "its files are the catalogue's; of its values nothing but the shape is known",
    "unverified": "unverified: nothing but the shape is known",
}


def size(found: Mapping[str, Any]) -> str:
    """A size in few letters: ``69680x7`` steps and channels, ``200x96`` series and steps, ``366: 61190`` in all."""
    channels = "" if found["channels"] == 1 else f"x{found['channels']}"
    if found["kind"] == "recording":
        return f"{found['steps']}{channels}"
    if found["kind"] == "collection":
        return f"{found['series']}: {found['steps']}{channels}"
    return f"{found.get('train', 0) + found.get('test', 0)}x{found['length']}{channels}"


def sampling(text: str | None) -> str:
    """The interval in few letters, to be read after "every"; ``varied`` for a list of them."""
    short = (
        (text or "").partition("(")[0].replace(" physics step", "").removeprefix("mostly ").removeprefix("1 ").strip()
    )
    return "varied" if "/ " in short else "unknown" if short == "not stated" else short


def ls(console: Console, account: Mapping[str, Any]) -> None:
    """A table a role, and where the sets would lie."""
    rows = account["sets"]
    for role in dict.fromkeys(row["role"] for row in rows):
        cells = [
            [row["name"], row["domain"], size(row["size"]), sampling(row["sampling"]), row["here"] or "-"]
            for row in rows
            if row["role"] == role
        ]
        console.table(["name", "domain", "size", "every", ""], cells, title=f"{role}: {counted(len(cells), 'set')}")
        console.say()
    present = sum(row["here"] is not None for row in rows)
    console.say(f"{counted(len(rows), 'set')}, {present} of them here. Data folders, in order:")
    for folder in account["folders"]:
        console.say(f"  {folder}")


def info(console: Console, account: Mapping[str, Any]) -> None:
    """A paragraph a set."""
    for number, about in enumerate(account["sets"]):
        if number:
            console.say()
        console.say(about["name"])
        for label, value in facts(about):
            console.say(f"  {label:<{LABEL}}{value}")
        if about["damaged"]:
            console.warn(f"{about['path']}: {about['damaged']}; tsprout datasets pull {about['name']} --force")


def facts(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a set, as labels and texts; what is not known is left out."""
    source, content = about["source"], about["content"]
    more = len(source["urls"]) - FEW
    told: list[tuple[str, Any]] = [
        ("role", about["role"] + (", held out for validation" if about["held_out"] else "")),
        ("domain", about["domain"]),
        ("kind", about["size"]["kind"]),
        ("shape", about["shape"]),
        ("sampling", about["sampling"] or "not stated"),
        ("channels", ", ".join(about["channel_names"])),
        ("also called", ", ".join(about["aliases"])),
        ("licence", about["licence"]),
        ("citation", about["citation"]),
        ("made by", source["generator"]),
        *(("source" if n == 0 else "", url) for n, url in enumerate(source["urls"][:FEW])),
        ("", f"and {more:,} more (--json has all)" if more > 0 else None),
        ("page", source["page"]),
        ("checked", "yes" if source["checked"] else "no; it has not been seen that this source gives these values"),
        *(("sha256" if n == 0 else "", text) for n, text in enumerate(source["sha256"][:FEW])),
        ("digest", content["digest"]),
        ("missing", f"{content['missing']:,} values" if content["missing"] else None),
        ("missing code", about["missing_code"]),
        ("near copies", ", ".join(about["near"])),
        ("left out", about["left_out"]),
        ("the paper", _paper(about["paper"])),
        ("note", about["note"]),
        ("here", _place(about)),
        ("its values", AGREEMENT.get(about["agreement"]) or (about["agreement"] and "equal to the last bit")),
        ("its digest", about["digest"] if about["digest"] != content["digest"] else None),
        *(("" if n else "to be added", line) for n, line in enumerate(_toml(about))),
    ]
    return [(label, str(value)) for label, value in told if value not in (None, "")]


def _paper(paper: Mapping[str, Any] | None) -> str | None:
    if paper is None:
        return None
    printed = f" ({paper['printed']:,} printed)" if paper["printed"] is not None else ""
    note = f"; {paper['note']}" if paper["note"] else ""
    return f"{paper['windows']:,} windows of 24 steps{printed}, {paper['scaling']}{note}"


def _toml(about: Mapping[str, Any]) -> list[str]:
    """What the catalogue could know of the values that lie here, as lines for it."""
    if not about["found"]:
        return []
    return [f"[{about['name']}.content]", *(f"{key} = {_value(value)}" for key, value in about["found"].items())]


def _value(value: Any) -> str:
    """In TOML, which writes lists, numbers (and nan) as Python does."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def _place(about: Mapping[str, Any]) -> str:
    state = about["here"]
    if state is None:
        return f"no; tsprout datasets pull {about['name']} puts it at {about['goes_to']}"
    if state == "made":
        return "made in memory where it is needed"
    if about["damaged"]:
        instead = f"; used in its place: {about['instead']}" if about["instead"] else ""
        return f"damaged, {about['path']}{instead}"
    if about["partial"]:
        return f"in part ({about['partial']}), {about['path']}"
    return f"complete, {about['path']}"


def pulled(console: Console, account: Mapping[str, Any]) -> None:
    """One set that was pulled, was there, or would be pulled."""
    name = account["name"]
    alike = AGREEMENT.get(account["agreement"])
    alike = f"; {alike}" if alike else ""
    if account["was_there"]:
        console.say(f"{name}: is here already, {account['path']}{alike}")
    elif account["dry_run"]:
        console.say(f"{name}: about {readable_bytes(account['value_bytes'])} of values, to {account['path']}")
        if account["generator"]:
            console.say(f"  made here ({account['generator']})")
        if account["needs"]:
            console.say(f"  {account['needs']}")
        for file in account["files"][:FEW]:
            there = f"{readable_bytes(file['bytes'])} there" if file["there"] else ""
            begun = f"{readable_bytes(file['bytes'])} there so far" if file["bytes"] else "to be fetched"
            console.say(f"  {file['url']}\n    -> {file['path']} ({there or begun})")
        if len(account["files"]) > FEW:
            fetched = sum(not file["there"] for file in account["files"])
            more = counted(len(account["files"]) - FEW, "more file")
            console.say(f"  and {more} ({len(account['files']):,} in all, {fetched:,} to be fetched; --json has all)")
    else:
        console.say(f"{name}: {readable_bytes(account['bytes'])}, {account['path']}{alike}")


def pull(console: Console, account: Mapping[str, Any]) -> None:
    """The sets one by one, what failed, and what else to know."""
    for found in account["pulled"]:
        pulled(console, found)
    for text in account["notes"]:
        console.note(text)
    for error in account["failed"]:
        where = f" ({error['where']})" if error["where"] else ""
        fix = "\n  ".join(("", *error["fix"].splitlines())) if error["fix"] else ""
        console.warn(f"{error['name']}: {error['what']}{where}{fix}")
    if account["failed"]:
        done = len(account["pulled"])
        console.warn(
            f"{counted(len(account['failed']), 'data set')} failed, {done} of {done + len(account['failed'])} done"
        )


def shots(console: Console, account: Mapping[str, Any]) -> None:
    """How many series went where, and what to know of them."""
    counts, channels = account["counts"], counted(len(account["channels"]), "channel")
    words = {"shots": "shots", "held_out": "held out", "validation": "validation"}
    console.say(f"{account['name']}, {account['protocol']}: series of {account['length']} steps, {channels}")
    for key, path in account["files"].items():
        console.say(f"  {words[key]:<12}{counts[key]:>8,}  {path}")
    for text in account["notes"]:
        console.note(text)

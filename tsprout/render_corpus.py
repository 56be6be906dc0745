"""The accounts of the corpus jobs as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tsprout.console import Console
from tsprout.render import counted
from tsprout.staging import readable_bytes


def built(console: Console, account: Mapping[str, Any]) -> None:
    """What went in, by domain, and what did not and why."""
    _domains(console, account)
    for name, reason in account["left_out"].items():
        console.note(f"{name} is left out: {reason}")
    if account["absent"]:
        console.note(f"not here: {', '.join(account['absent'])}; tsprout datasets pull fetches them")
    console.say(f"written to {account['corpus']}")


def info(console: Console, account: Mapping[str, Any]) -> None:
    """Domains, then sets, with how often each is drawn."""
    _domains(console, account)
    rows = [
        [
            entry["name"],
            entry["domain"],
            f"{entry['series']:,}",
            f"{entry['channels']:,}",
            f"{entry['values']:,}",
            "held out" if entry["held_out"] else f"{100 * entry['share']:.2f}%",
        ]
        for entry in account["sets"]
    ]
    console.say()
    console.table(["set", "domain", "series", "channels", "values", "drawn"], rows)


def _domains(console: Console, account: Mapping[str, Any]) -> None:
    size = readable_bytes(account["bytes"])
    console.say(
        f"{counted(len(account['sets']), 'set')}, {account['values']:,} values, {size} in "
        f"{counted(account['shards'], 'shard')}"
    )
    rows = [
        [name, f"{found['sets']:,}", f"{found['values']:,}", f"{100 * found['share']:.1f}%"]
        for name, found in account["domains"].items()
    ]
    console.say()
    console.table(["domain", "sets", "values", "drawn"], rows)

"""Which column of a table is what: id, time, label, static columns, channels, or the time steps of a wide table.

Names are recognised regardless of case. What is named by an option is believed; what is not is found by name, then by
kind of content, and refused with an explanation when two readings are equally good.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tsprout.data.reading import ReadOptions
from tsprout.data.timestamps import sniff_style
from tsprout.errors import InputError, NotThereError

ID_NAMES = (
    *("item_id", "unique_id", "series_id", "id", "sample_id", "sample", "series", "ts_id", "subject_id", "subject"),
    *("patient_id", "patient", "case_id", "case", "instance", "entity_id", "entity", "sequence_id", "sequence"),
    *("device_id", "device", "sensor_id", "user_id", "group_id", "trial", "episode"),
)
TIME_NAMES = (
    *("timestamp", "ds", "time", "datetime", "date_time", "date", "t", "step", "time_step", "timestep", "time_idx"),
    *("time_index", "tick", "epoch", "ts", "timestamp_utc", "datetime_utc", "time_utc"),
)
CALENDAR_NAMES = ("second", "minute", "hour", "day", "week", "month", "year")
LABEL_NAMES = ("label", "class")
STEP_PREFIXES = ("t", "step", "time", "ts", "time_step", "timestep", *CALENDAR_NAMES, "h", "d")
_MOST_NAMED = 12


@dataclass
class Roles:
    """What each column is; ``steps`` is filled for a wide table, ``channels`` for a long one; ``like_id`` has an id's
    name and holds decimals, ``guessed_id`` is the id for no better reason than to be the only text."""

    wide: bool = False
    id: str | None = None
    time: str | None = None
    label: str | None = None
    row_number: str | None = None
    static: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    like_id: str | None = None
    guessed_id: str | None = None


def assign(
    columns: Sequence[str], kinds: dict[str, str], options: ReadOptions, where: str, gappy: Collection[str] = ()
) -> Roles:
    """Decide what each column is.

    Args:
        columns: names, in order.
        kinds: by name ``int``, ``float``, ``bool``, ``text``, ``mixed`` (text among numbers), ``time`` or ``empty``.
        options: what the user said.
        where: for errors.
        gappy: columns with empty cells, which no id has.

    Raises:
        InputError: repeated or unknown names, no channel, or two equally good readings.
    """
    twice = sorted({c for c in columns if list(columns).count(c) > 1})
    if twice:
        raise InputError(f"column names repeat: {', '.join(map(repr, twice))}", where=where, fix="Rename them.")
    _check_asked(columns, options, where)
    columns = [c for c in columns if c not in options.ignore]
    blank = [c for c in columns if is_nameless(c) and kinds[c] == "empty" and c not in _asked(options)]
    columns = [c for c in columns if c not in blank]
    if options.orientation == "columns":
        roles = _column_roles(columns, kinds, options, where)
    else:
        decide = _wide_roles if _is_wide(columns, options, where) else _long_roles
        roles = decide(columns, kinds, options, where, gappy)
    roles.ignored += options.ignore
    if blank:
        roles.ignored += blank
        roles.notices.append(f"columns without a name or a value are left out: {len(blank)}")
    return roles


def _asked(options: ReadOptions) -> list[str | None]:
    named = [options.id_column, options.time_column, options.label_column]
    return [*named, *(options.channels or ()), *(options.static_columns or ()), *options.ignore]


def _check_asked(columns: Sequence[str], options: ReadOptions, where: str) -> None:
    asked = _asked(options)
    for name in asked:
        if name is not None and name not in columns:
            close = difflib.get_close_matches(name, list(columns), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            shown = ", ".join(map(repr, columns[:30])) + (" ..." if len(columns) > 30 else "")
            raise NotThereError("column", name, where=where, fix=f"Columns there are: {shown}.{hint}")
    given = [name for name in asked if name is not None]
    doubled = sorted({name for name in given if given.count(name) > 1})
    if doubled:
        raise InputError(f"column {doubled[0]!r} was given two roles", where=where)


def _named(columns: Sequence[str], names: Sequence[str], taken: set[str]) -> str | None:
    low = {c.strip().lower(): c for c in reversed(columns) if c not in taken}
    return next((low[n] for n in names if n in low), None)


def step_columns(columns: Sequence[str]) -> tuple[list[str], bool]:
    """The columns whose header looks like a time step, and whether that is beyond doubt."""
    numeric = [c for c in columns if re.fullmatch(r"\d+(\.\d+)?", c.strip())]
    if len(numeric) >= 4:
        return numeric, True
    dates = [c for c in columns if re.match(r"\d{1,4}[-/.]\d{1,2}", c) and sniff_style([c]) is not None]
    if len(dates) >= 4:
        return dates, True
    by_prefix: dict[str, list[str]] = {}
    for c in columns:
        match = re.fullmatch(r"(.*?)[_ ]?(\d+)", c.strip())
        if match:
            by_prefix.setdefault(match[1].lower(), []).append(c)
    if not by_prefix:
        return [], False
    prefix, members = max(by_prefix.items(), key=lambda item: len(item[1]))
    numbers = [int(re.findall(r"\d+$", c.strip())[0]) for c in members]
    if len(members) < 4 or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return [], False
    return members, prefix in STEP_PREFIXES


def _is_wide(columns: Sequence[str], options: ReadOptions, where: str) -> bool:
    if options.orientation is not None:
        return options.orientation == "wide"
    if options.time_column is not None or options.channels is not None:
        return False
    steps, sure = step_columns(columns)
    return bool(steps) and sure and _named(columns, TIME_NAMES, set(steps)) is None


def _wide_roles(
    columns: Sequence[str], kinds: dict[str, str], options: ReadOptions, where: str, gappy: Collection[str]
) -> Roles:
    if options.time_column is not None:
        raise InputError("a wide table has no time column: its columns are the time steps", where=where)
    roles = Roles(wide=True)
    steps = list(options.channels) if options.channels is not None else step_columns(columns)[0]
    taken = set(steps)
    roles.id, roles.label = options.id_column, options.label_column
    if roles.id is None:
        roles.id = _named(columns, ID_NAMES, taken | set(options.static_columns or ()))
    if roles.label is None:
        roles.label = _named(columns, LABEL_NAMES, _and(taken, roles.id))
    roles.static = list(options.static_columns or ())
    steps = [c for c in steps if c not in {roles.id, roles.label, *roles.static}]
    rest = [c for c in columns if c not in {*steps, roles.id, roles.label, *roles.static}]
    if not steps:
        steps, rest = (
            [c for c in rest if kinds[c] not in ("text", "time")],
            [c for c in rest if kinds[c] in ("text", "time")],
        )
    if rest and rest[0] == columns[0] and _row_numbers(rest[0], kinds):
        roles.row_number = rest.pop(0)
    for c in rest:
        if kinds[c] in ("text", "time"):
            if roles.id is None and c not in gappy:
                roles.id = c
                roles.notices.append(f"column {c!r} is taken as the series' id")
            else:
                roles.static.append(c)
        elif options.channels is not None:
            roles.ignored.append(c)
        else:
            raise InputError(
                f"cannot tell what column {c!r} is: its header is no time step, and it holds numbers",
                where=where,
                fix="Name it as id_column, label_column or static_columns; or, if each row is one time step and each "
                "column a channel, pass orientation='long'.",
            )
    roles.steps = [c for c in columns if c in set(steps)]
    roles.static = [c for c in columns if c in set(roles.static)]
    _note_ignored(roles)
    return roles


def _long_roles(
    columns: Sequence[str], kinds: dict[str, str], options: ReadOptions, where: str, gappy: Collection[str]
) -> Roles:
    roles = Roles()
    wanted = set(options.channels or ()) | set(options.static_columns or ())
    roles.label = options.label_column
    spoken_for = {name for name in _asked(options) if name is not None}
    roles.id = _named(columns, ID_NAMES, spoken_for) if options.id_column is None else options.id_column
    if options.id_column is None and roles.id is not None and kinds[roles.id] == "float":
        roles.like_id, roles.id = roles.id, None
    roles.time = options.time_column
    if roles.time is None:
        roles.time = _find_time(columns, kinds, _and(spoken_for, roles.id), where)
    if roles.label is None:
        roles.label = _named(columns, LABEL_NAMES, _and(spoken_for, roles.id, roles.time))
        if roles.label is not None and roles.id is None:
            roles.label = None
    roles.static = list(options.static_columns or ())
    rest = [c for c in columns if c not in {roles.id, roles.time, roles.label, *roles.static}]
    if rest and rest[0] == columns[0] and rest[0] not in wanted and _row_numbers(rest[0], kinds):
        roles.row_number = rest.pop(0)
    texts = [c for c in rest if kinds[c] in ("text", "time") and c not in wanted]
    full = [c for c in texts if kinds[c] == "text" and c not in gappy]
    if roles.id is None and len(full) == 1:
        roles.id = roles.guessed_id = full[0]
        texts.remove(roles.id)
        rest.remove(roles.id)
        roles.notices.append(f"column {roles.id!r} is taken as the series' id")
    if options.channels is not None:
        roles.channels = list(options.channels)
        roles.ignored = [c for c in rest if c not in wanted and (c not in texts or options.static_columns is not None)]
    else:
        roles.channels = [c for c in rest if c not in texts]
    if options.static_columns is None or options.channels is None:
        roles.static += texts
    roles.static = [c for c in columns if c in set(roles.static)]
    if not roles.channels:
        raise InputError(
            "there is no column of numbers to take as a channel",
            where=where,
            fix=f"Columns there are: {', '.join(map(repr, columns[:30]))}. Name the channels with channels=.",
        )
    if roles.like_id in roles.channels:
        roles.notices.append(
            f"column {roles.like_id!r} is called like an id and holds decimals, so it is read as a channel; "
            f"if it tells series apart, pass id_column={roles.like_id!r}"
        )
    steps, sure = step_columns(roles.channels)
    if steps and not sure and options.orientation is None and roles.id is None and roles.time is None:
        roles.notices.append(
            f"columns {steps[0]!r} to {steps[-1]!r} are read as channels, one row a time step; if each row is one "
            "series, pass orientation='wide'"
        )
    _note_ignored(roles)
    return roles


def _column_roles(columns: Sequence[str], kinds: dict[str, str], options: ReadOptions, where: str) -> Roles:
    """Of a table whose columns are series: the time, and these."""
    for name in ("id_column", "label_column", "static_columns"):
        if getattr(options, name):
            fix = "Leave it out: such a table has a time column, and else only series."
            raise InputError(f"{name}= was given for a table with a column a series", where=where, fix=fix)
    roles = Roles(time=options.time_column)
    spoken_for = {name for name in _asked(options) if name is not None}
    if roles.time is None:
        roles.time = _find_time(columns, kinds, spoken_for, where)
    rest = [c for c in columns if c != roles.time]
    if rest and rest[0] == columns[0] and rest[0] not in spoken_for and _row_numbers(rest[0], kinds):
        roles.row_number = rest.pop(0)
    roles.channels = list(options.channels or (c for c in rest if kinds[c] not in ("text", "time")))
    roles.ignored = [c for c in rest if c not in roles.channels]
    if not roles.channels:
        raise InputError("there is no column of numbers to take as a series", where=where)
    _note_ignored(roles)
    return roles


def _find_time(columns: Sequence[str], kinds: dict[str, str], taken: set[str], where: str) -> str | None:
    named = _named(columns, TIME_NAMES, taken)
    if named is not None:
        return named
    times = [c for c in columns if c not in taken and kinds[c] == "time"]
    if len(times) > 1:
        raise InputError(
            f"more than one column could be the time: {', '.join(map(repr, times))}",
            where=where,
            fix="Say which with time_column=; name the others in static_columns= or leave them out with channels=.",
        )
    if times:
        return times[0]
    left = [c for c in columns if c not in taken and kinds[c] != "text"]
    calendar = _named(left[:1], CALENDAR_NAMES, set())
    return calendar if calendar is not None and kinds[calendar] in ("int", "float") else None


def naming(channels: Sequence[str]) -> str:
    """How to ask for these channels and no others, as the subject of a sentence; without the names where they are too
    many or too odd to write."""
    names = [str(name) for name in channels]
    if not 0 < len(names) <= _MOST_NAMED or any('"' in n or "\\" in n or not n.isprintable() for n in names):
        return "Naming the other channels with channels="
    quoted = ", ".join(f'"{name}"' if "'" in name else f"'{name}'" for name in names)
    return f"channels=[{quoted}]"


def _and(taken: set[str], *more: str | None) -> set[str]:
    return taken | {name for name in more if name is not None}


def _row_numbers(name: str, kinds: dict[str, str]) -> bool:
    """Whether a first column is what an index without a name leaves; texts and times in it are ids and times."""
    return is_nameless(name) and kinds[name] not in ("text", "time")


def is_nameless(name: str) -> bool:
    """Whether a column has no name of its own, as one of row numbers, or what a delimiter at a line's end makes."""
    return name.strip() == "" or name.startswith("Unnamed: ") or name == "__index_level_0__"


def _note_ignored(roles: Roles) -> None:
    if roles.ignored:
        roles.notices.append(f"columns left out: {', '.join(map(repr, roles.ignored))}")

"""Time stamps: text to time and back in the same format, and the frequency of regular series.

Inside, a date-time is ``datetime64[ns]``, in UTC when a time zone is known. How it was written is kept in a
:class:`TimeStyle`. Parsing is done by Arrow (ISO 8601) and pandas (everything else).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.arrays import COUNT_LATER
from tsprout.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_ISO = re.compile(
    r"(?P<Y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?:(?P=sep)(?P<d>\d{1,2}))?"
    r"(?:(?P<mid>[ T])(?P<H>\d{1,2}):(?P<M>\d{2})(?P<S>:\d{2})?(?:\.(?P<f>\d{1,9}))?)?"
    r"(?P<z>Z| ?[+-]\d{2}:?\d{2})?"
)
_DAY_MONTH = re.compile(
    r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<Y>\d{4}|\d{2})"
    r"(?:(?P<mid>[ T])(?P<H>\d{1,2}):(?P<M>\d{2})(?P<S>:\d{2})?(?:\.(?P<f>\d{1,9}))?(?P<p> ?[AaPp][Mm])?)?"
    r"(?P<z>Z| ?[+-]\d{2}:?\d{2})?"
)
_OLD_ALIASES = {
    "H": "h",
    "T": "min",
    "S": "s",
    "L": "ms",
    "U": "us",
    "N": "ns",
    "M": "ME",
    "Q": "QE",
    "A": "YE",
    "Y": "YE",
}
_NAT, _LARGEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True)
class TimeStyle:
    """How times were written: ``kind`` is ``datetime``, ``int`` or ``float``; the rest is as in :class:`Schema`."""

    kind: str
    format: str | None = None
    digits: int = 0
    suffix: str = ""
    notice: str | None = None
    zone: str | None = None

    @property
    def timezone(self) -> str | None:
        """Name of the time zone that the text, or the column's type, says; ``None`` for none."""
        if not self.suffix:
            return self.zone
        return "UTC" if offset_minutes(self.suffix) == 0 else self.suffix.strip()


def offset_minutes(suffix: str) -> int:
    """Minutes east of UTC of a suffix such as ``Z``, ``+01:00`` or ``-0330``; 0 for none."""
    digits = re.sub(r"[^0-9]", "", suffix)
    if not digits:
        return 0
    return (-1 if "-" in suffix else 1) * (int(digits[:2]) * 60 + int(digits[2:4] or 0))


def offset_zone(name: str | None) -> Any:
    """A time zone as pandas takes it, of :attr:`TimeStyle.timezone`."""
    if name is not None and re.fullmatch(r"[+-]\d{2}:?\d{0,2}", name):
        return datetime.timezone(datetime.timedelta(minutes=offset_minutes(name)))
    return name


def sniff_style(texts: list[str], day_first: bool | None = None) -> TimeStyle | None:
    """The style that fits these (non-empty) texts, or ``None`` when the first of them is not a time.

    ``day_first``: whether the day comes before the month where the year comes last; found from the texts if not given.

    Raises:
        InputError: a text cannot be read as ``day_first`` says.
    """
    texts = [t.strip() for t in texts if t is not None and t.strip()]
    if not texts:
        return None
    if all(re.fullmatch(r"[+-]?\d{1,19}", t) and abs(int(t)) <= _LARGEST for t in texts):
        as_dates = all(re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", t) for t in texts)
        return TimeStyle("datetime", "%Y%m%d") if as_dates else TimeStyle("int")
    if all(_is_float(t) for t in texts):
        return TimeStyle("float")
    if _is_float(texts[0]):  # 1199.50 is no month, whatever stands among the other numbers
        return None
    matches = [m for m in (_ISO.fullmatch(t) for t in texts) if m]
    if _ISO.fullmatch(texts[0]):
        date = "%Y{sep}%m{sep}%d" if matches[0]["d"] else "%Y{sep}%m"
        return _style(matches, date)
    matches = [m for m in (_DAY_MONTH.fullmatch(t) for t in texts) if m]
    if _DAY_MONTH.fullmatch(texts[0]):
        return _day_month_style(matches, day_first)
    import pandas as pd

    guessed = pd.tseries.api.guess_datetime_format(texts[0])
    return TimeStyle("datetime", guessed) if guessed and "%z" not in guessed else None


def _style(matches: list[re.Match[str]], date: str, unpadded: tuple[tuple[str, str], ...] = ()) -> TimeStyle:
    first = matches[0]
    text = date.replace("{sep}", first["sep"])
    padding = unpadded or (("%m", "m"), ("%d", "d"))
    for token, group in padding:
        if any(m[group] is not None and len(m[group]) == 1 for m in matches):
            text = text.replace(token, f"%-{token[1]}")
    timed = next((m for m in matches if m["H"] is not None), None)
    if timed is not None:
        half_day = "p" in timed.groupdict() and timed["p"]
        hour = "I" if half_day else "H"
        short = any(m["H"] is not None and len(m["H"]) == 1 for m in matches)
        seconds = ":%S" if any(m["S"] for m in matches) else ""
        text += f"{timed['mid']}%{'-' if short else ''}{hour}:%M{seconds}"
        if half_day:
            text += " %p" if timed["p"].startswith(" ") else "%p"
    digits = max(len(m["f"] or "") for m in matches)
    return TimeStyle("datetime", text, digits, first["z"] or "")


def _day_month_style(matches: list[re.Match[str]], asked: bool | None) -> TimeStyle:
    year = "%Y" if len(matches[0]["Y"]) == 4 else "%y"
    day_first = any(int(m["a"]) > 12 for m in matches) if asked is None else asked
    notice = None
    if asked is not None:
        wrong = next((m.group() for m in matches if int(m["b" if asked else "a"]) > 12), None)
        if wrong is not None:
            order = "day/month/year" if asked else "month/day/year"
            raise InputError(f"the date {wrong!r} is not {order}", fix=f"Leave out day_first={asked}.")
    elif not day_first and all(int(m["b"]) <= 12 for m in matches):
        # A field that never changes is the day of monthly data, not the month of a daily run of at most 12 days.
        day_first = matches[0]["sep"] == "." or (
            len({m["a"] for m in matches}) == 1 and len({m["b"] for m in matches}) > 1
        )
        read = "day/month/year" if day_first else "month/day/year"
        notice = f"dates such as {matches[0].group()!r} could be read two ways; read as {read}"
        notice += f" (the other way with day_first={not day_first})"
    a, b = ("%d", "%m") if day_first else ("%m", "%d")
    style = _style(matches, f"{a}{{sep}}{b}{{sep}}{year}", ((a, "a"), (b, "b")))
    return TimeStyle("datetime", style.format, style.digits, style.suffix, notice)


def parse_texts(texts: pa.Array, style: TimeStyle) -> tuple[np.ndarray, np.ndarray]:
    """Times of an array of texts, and which of them could not be read.

    Returns:
        times ``(n,)`` (``datetime64[ns]``, ``int64`` or ``float64``), and a mask ``(n,)`` of what is not readable.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(texts)
    target = {"int": pa.int64(), "float": pa.float64()}.get(style.kind)
    if target is None:
        target = pa.timestamp("ns", "UTC" if style.suffix else None)
        if (style.format or "")[:8] != "%Y-%m-%d":
            return _parse_slowly(texts, style)
    try:
        parsed = texts.cast(target)
        if parsed.null_count:
            return _parse_slowly(texts, style)
        times = parsed.cast(pa.int64()).to_numpy() if style.kind == "datetime" else parsed.to_numpy()
        return (times.view("datetime64[ns]") if style.kind == "datetime" else times), np.zeros(len(times), bool)
    except pa.ArrowInvalid:
        return _parse_slowly(texts, style)


def _parse_slowly(texts: pa.Array, style: TimeStyle) -> tuple[np.ndarray, np.ndarray]:
    import pandas as pd

    items = texts.to_pylist()
    if style.kind != "datetime":
        convert: Any = int if style.kind == "int" else float
        numbers = [_number(t, convert) for t in items]
        bad = np.array([x is None for x in numbers], dtype=bool)
        return np.array([0 if x is None else x for x in numbers], dtype=f"{style.kind}64"), bad
    base = (style.format or "").replace("%-", "%")
    zone = "%z" if style.suffix else ""
    times = np.full(len(items), _NAT, np.int64).view("datetime64[ns]")
    left = np.array([t is not None and t != "" for t in items], dtype=bool)
    for fmt in (base + (".%f" if style.digits else "") + zone, base + zone, "ISO8601"):
        if not left.any():
            break
        where = np.flatnonzero(left)
        some = [(items[i] or "").replace(" +", "+").replace(" -", "-") if zone else items[i] for i in where]
        index = pd.DatetimeIndex(pd.to_datetime(some, format=fmt, errors="coerce", utc=bool(zone)))
        index = index.tz_localize(None) if index.tz is not None else index
        good = ~index.isna() & (index.year > 1677) & (index.year < 2262)
        times[where[good]] = index[good].as_unit("ns").to_numpy()
        left[where[good]] = False
    return times, np.isnat(times)


def format_times(times: np.ndarray, style: TimeStyle) -> pa.Array:
    """Date-times ``(n,)`` as text in a style; each distinct one is formatted once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    distinct, inverse = np.unique(times.astype("datetime64[ns]").view(np.int64), return_inverse=True)
    local = distinct + np.where(distinct == _NAT, 0, offset_minutes(style.suffix) * 60_000_000_000)
    seconds, nanos = np.divmod(local, 1_000_000_000)
    stamps = pa.array(seconds.view("datetime64[s]"), mask=distinct == _NAT)
    fmt = style.format or "%Y-%m-%d %H:%M:%S"
    out = _format_unpadded(stamps, fmt) if "%-" in fmt else pc.strftime(stamps, format=fmt)
    if style.digits:
        fraction = [f".{n:09d}"[: style.digits + 1] for n in nanos.tolist()]
        out = pc.binary_join_element_wise(out, pa.array(fraction), "")
    if style.suffix:
        out = pc.binary_join_element_wise(out, style.suffix, "")
    return pa.DictionaryArray.from_arrays(pa.array(inverse.astype(np.int32)), out)


def _format_unpadded(stamps: pa.Array, fmt: str) -> pa.Array:
    import pyarrow as pa

    widths = {"Y": "04", "m": "02", "d": "02", "H": "02", "M": "02", "S": "02", "I": "02", "y": "02"}
    template = re.sub(
        r"%(-?)([YmdHMSIyp])", lambda t: f"{{{t[2]}{'' if t[1] or t[2] == 'p' else ':' + widths[t[2]]}}}", fmt
    )

    def text(t: Any) -> str:
        parts = {"Y": t.year, "m": t.month, "d": t.day, "H": t.hour, "M": t.minute, "S": t.second, "y": t.year % 100}
        return template.format(**parts, I=t.hour % 12 or 12, p="AM" if t.hour < 12 else "PM")

    return pa.array([None if t is None else text(t) for t in stamps.to_pylist()], pa.string())


def default_style(times: np.ndarray, timezone: str | None = None) -> TimeStyle:
    """The plainest style that loses nothing of these times."""
    if times.dtype.kind != "M":
        return TimeStyle("int" if times.dtype.kind == "i" else "float")
    ns = times.view(np.int64)
    ns = ns[ns != _NAT]
    digits = next((d for d in (0, 3, 6) if not (ns % 10 ** (9 - d)).any()), 9)
    days = not timezone and not (ns % 86_400_000_000_000).any()
    fmt = "%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S"
    return TimeStyle("datetime", fmt, digits, "+00:00" if timezone else "")


def infer_frequency(times: np.ndarray | None, lengths: np.ndarray) -> str | None:
    """The pandas offset alias that all series ``(n, length)`` keep to, or ``None`` when there is none."""
    if times is None or times.dtype.kind != "M" or not len(lengths) or lengths.min() < 2:
        return None
    import pandas as pd

    ns = times.view(np.int64)
    step = int(ns[0, 1] - ns[0, 0])
    within = np.arange(1, ns.shape[1]) < lengths[:, None]
    if ((np.diff(ns, axis=1) == step) | ~within).all():
        return alias_of(step) if step > 0 else None
    found = None
    for row, own in zip(times, lengths.tolist(), strict=True):
        try:
            alias = pd.infer_freq(pd.DatetimeIndex(row[:own]))
        except ValueError:
            return None
        if alias is None or (found is not None and alias != found):
            return None
        found = alias
    return found


def shown(time: Any) -> str:
    """A stamp, or a number that stands for one, as a person reads it."""
    return str(time).removesuffix(".000000000").replace("T", " ")


def alias_of(step: int) -> str:
    """The pandas offset alias of so many nanoseconds."""
    import pandas as pd

    days, rest = divmod(step, 86_400_000_000_000)
    if not rest:
        return "D" if days == 1 else f"{days}D"
    return str(pd.tseries.frequencies.to_offset(pd.Timedelta(step, "ns")).freqstr)


def expand(start: np.datetime64, frequency: str, n: int) -> np.ndarray:
    """``n`` times from ``start`` on, ``datetime64[ns]`` ``(n,)``.

    A start that is not itself on the frequency's grid (GluonTS starts months on their first day) keeps day and time.

    Raises:
        InputError: the frequency is unknown to pandas, or leads backwards or too far.
    """
    import pandas as pd

    try:
        offset = pd.tseries.frequencies.to_offset(normal_alias(frequency))
    except ValueError:
        raise InputError(
            f"unknown frequency {frequency!r}", fix="Use a pandas offset alias such as h, 15min, D or MS."
        ) from None
    if offset.n <= 0:
        raise InputError(f"times cannot go on by {frequency!r}", fix="Give a step that leads forward.")
    try:
        return _expanded(pd.Timestamp(start), offset, n)
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        raise InputError(f"{n:,} steps of {frequency!r} lead beyond the year 2262", fix=COUNT_LATER) from None


def _expanded(first: Any, offset: Any, n: int) -> np.ndarray:
    import pandas as pd

    months = {"M": 1, "Q": 3, "Y": 12}.get(offset.name[0]) if offset.name.partition("-")[0] in _CALENDAR else None
    if offset.is_on_offset(first):
        index = pd.date_range(first, periods=n, freq=offset)
    elif months:
        index = pd.DatetimeIndex([first + pd.DateOffset(months=k * months * offset.n) for k in range(n)])
    elif offset.name.startswith("W"):
        index = pd.date_range(first, periods=n, freq=pd.Timedelta(days=7 * offset.n))
    else:
        index = pd.date_range(first, periods=n, freq=offset)
    return index.as_unit("ns").to_numpy()


_CALENDAR = {"ME", "MS", "QE", "QS", "YE", "YS"}


def normal_alias(frequency: str) -> str:
    """An offset alias in today's pandas spelling (``H`` was hours until pandas 2)."""
    match = re.fullmatch(r"(\d*)([A-Z])(-[A-Z]{3})?", frequency.strip())
    if match and match[2] in _OLD_ALIASES:
        return f"{match[1]}{_OLD_ALIASES[match[2]]}{match[3] or ''}"
    return frequency.strip()


def _is_float(text: str) -> bool:
    return _number(text, float) is not None


def _number(text: str | None, convert: Any) -> Any:
    try:
        return None if text is None else convert(text)
    except ValueError:
        return None

"""Tables as Markdown, LaTeX, CSV and HTML. Any text may be in them: names of models are whatever a user called them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from tsprout.bench.tables import Column, Entry, Row, Table, shots_name
from tsprout.report.svg import clean

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "±": r"$\pm$",
    "†": r"\textdagger{}",
    "°": r"\textdegree{}",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="tsprout">
<link rel="icon" href="data:,">
<title>{{ heading }}</title>
<style>
{{ style|safe }}
.sheet { overflow-x: auto; }
.sheet table { border-collapse: collapse; white-space: nowrap; font-variant-numeric: tabular-nums; }
.sheet th, .sheet td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #8884; }
.sheet th:nth-child(-n+2), .sheet td:nth-child(-n+2) { text-align: left; }
.sheet .beside, .sheet .published { font-style: italic; opacity: .8; }
.sheet .summary td { border-bottom-width: 2px; }
</style>
</head>
<body>
<main class="wide">
<header><p class="kind">tsprout benchmark</p><h1><bdi>{{ heading }}</bdi></h1></header>
{% for table in tables %}
<section>
<h2>{{ table.title }}</h2>
<div class="sheet">
<table>
<thead><tr><th>shots</th><th>set</th>
{% for column in table.columns %}
<th class="{{ column.kind }}">{{ column.name }}{% if column.mark %}<sup>{{ column.mark }}</sup>{% endif %}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in table.rows %}
<tr class="{{ row.kind }}"><td>{{ shots(row.shots) }}</td><td>{{ row.name }}</td>
{% for entry in row.entries %}
<td class="{{ table.columns[loop.index0].kind }}">{% if entry.best %}<b>{{ entry.text }}</b>{% else %}{{ entry.text }}{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% for mark, text in table.footnotes %}
<p><sup>{{ mark }}</sup> {{ text }}</p>
{% endfor %}
{% for note in table.notes %}
<p>{{ note }}</p>
{% endfor %}
</section>
{% endfor %}
</main>
</body>
</html>
"""  # noqa: E501  lines of HTML


def markdown(tables: Sequence[Table], heading: str) -> str:
    """GitHub's Markdown."""
    parts = [f"# {_md(heading)}", ""]
    for table in tables:
        names = [f"{_md(column.name)} {column.mark}".strip() for column in table.columns]
        parts += [f"## {_md(table.title)}", "", f"| shots | set | {' | '.join(names)} |"]
        parts.append("|---|---|" + "---:|" * len(names))
        for row in table.rows:
            cells = [f"**{_md(entry.text)}**" if entry.best else _md(entry.text) for entry in row.entries]
            name = _md(row.name) if row.kind == "set" else f"*{_md(row.name)}*"
            parts.append(f"| {_md(shots_name(row.shots))} | {name} | {' | '.join(cells)} |")
        parts.append("")
        parts += [f"{mark} {_md(text)}  " for mark, text in table.footnotes]
        parts += [f"{_md(note)}  " for note in table.notes] + [""]
    return "\n".join(parts)


def latex(tables: Sequence[Table], heading: str) -> str:
    """``table`` environments with booktabs' rules."""
    parts = [f"% {_one_line(heading)}; needs \\usepackage{{booktabs}}"]
    for table in tables:
        names = [_tex(column.name) + _tex_mark(column) for column in table.columns]
        parts += [r"\begin{table}", r"\centering", rf"\caption{{{_tex(table.title)}}}"]
        parts += [rf"\begin{{tabular}}{{ll{'r' * len(names)}}}", r"\toprule"]
        parts += [rf"shots & set & {' & '.join(names)} \\", r"\midrule"]
        for row in table.rows:
            cells = [rf"\textbf{{{_tex(e.text)}}}" if e.best else _tex(e.text) for e in row.entries]
            parts.append(rf"{_tex(shots_name(row.shots))} & {_tex(row.name)} & {' & '.join(cells)} \\")
        parts += [r"\bottomrule", r"\end{tabular}"]
        parts += [rf"\par\footnotesize \textsuperscript{{{_tex(mark)}}} {_tex(text)}" for mark, text in table.footnotes]
        parts += [rf"\par\footnotesize {_tex(note)}" for note in table.notes]
        parts += [r"\end{table}", ""]
    return "\n".join(parts)


def comma_separated(tables: Sequence[Table], heading: str) -> str:
    """A line a figure of the tables: table, shots, set, column, what the column is, its source, and the text."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(["table", "shots", "set", "column", "kind", "source", "figure"])
    for table in tables:
        sources = dict(table.footnotes)
        for row, column, entry in _figures(table):
            source = sources.get(column.mark, "") if column.mark else "measured"
            lines.writerow([table.title, shots_name(row.shots), row.name, column.name, column.kind, source, entry.text])
    return out.getvalue()


def html(tables: Sequence[Table], heading: str) -> str:
    """One page without anything outside of it, in the style of the report."""
    from importlib import resources

    from jinja2 import Environment, StrictUndefined

    style = resources.files("tsprout.report").joinpath("style.css").read_text(encoding="utf-8").strip()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_PAGE)
    return template.render(heading=clean(heading), tables=tables, style=style, shots=shots_name) + "\n"


FORMATS: dict[str, Callable[[Sequence[Table], str], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": comma_separated,
    "html": html,
}
EXTENSIONS = {".md": "md", ".tex": "latex", ".csv": "csv", ".html": "html"}


def _figures(table: Table) -> list[tuple[Row, Column, Entry]]:
    return [(row, column, e) for row in table.rows for column, e in zip(table.columns, row.entries, strict=True)]


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _md(text: str) -> str:
    escaped = _one_line(text)
    for sign in ("\\", "|", "*", "_", "`", "[", "]", "<", ">"):
        escaped = escaped.replace(sign, f"&{'lt' if sign == '<' else 'gt'};" if sign in "<>" else f"\\{sign}")
    return escaped


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def _tex_mark(column: Column) -> str:
    return rf"\textsuperscript{{{_tex(column.mark)}}}" if column.mark else ""

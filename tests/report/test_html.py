"""The report as text: one file, whole or not at all, the same every time, for whatever it is given."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report_sets import CASES, HOSTILE, case, sets, walks

from tsprout.errors import InputError, TsproutError
from tsprout.metrics import Interval, Scores, quick_scores
from tsprout.report import html
from tsprout.report.html import render_report, write_report
from tsprout.series import SeriesSet

VOID = {"meta", "link", "input", "br"}
SECTIONS = ["verdict", "scores", "paths", "values", "memory", "rhythms", "correlation", "map", "nearest", "pairs"]


class Page(HTMLParser):
    """Tags in order, checked to be closed, with the text of the page outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def plain() -> tuple[SeriesSet, SeriesSet, Scores]:
    return case("plain")


@pytest.fixture(scope="module")
def page(plain) -> str:
    return render_report(*plain, title="Pump 7", facts={"Command": "tsprout run a.csv -o out/"})


def test_the_verdict_comes_first_and_every_section_is_there(page, plain):
    known = Page(page)
    assert [attributes["id"] for attributes in known.find("section")] == [*SECTIONS, "limits", "facts"]
    text = known.text
    scores = plain[2]
    assert (
        text.index("Pump 7")
        < text.index(scores.summary())
        < text.index("sign of being copies.")
        < text.index("Every score beside")
    )
    for words in (*scores.notes, "8 real", "40 synthetic", "2 channels", "24 time steps", "tsprout run a.csv -o out/"):
        assert words in text
    assert "no proof of privacy" in text
    for score in scores:
        assert score.title in text
        assert score.explanation in text
        assert score.verdict in text


def test_every_figure_has_a_heading_and_an_accessible_name(page):
    known = Page(page)
    figures, pictures = known.find("figure"), [each for each in known.find("svg") if each.get("role") == "img"]
    assert len(figures) == len(known.find("figcaption")) == 6 + 3 * 2 + 3 + 2 + 1 + 8
    assert len(pictures) == len(figures) + 9 + 1  # the scales, and the key of the correlations
    assert all(len(each["aria-label"]) > 10 for each in pictures)
    names = [each["aria-label"] for each in pictures]
    assert len(names) - len(set(names)) <= 1
    described = [each for each in pictures if each["aria-label"].startswith("Correlation error: synthetic")]
    assert len(described) == 1
    assert "floor" in described[0]["aria-label"]


def test_nothing_is_fetched_and_only_our_script_may_run(page):
    known = Page(page)
    assert not re.search(r"https?:|//\w|@import|url\(", page)
    for tag, attributes in known.tags:
        for name in ("src", "href", "srcset", "action", "data", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    targets = {attributes["href"][1:] for attributes in known.find("a")}
    assert targets <= {attributes.get("id") for _, attributes in known.tags}
    policy = next(each["content"] for each in known.find("meta") if each.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "script-src 'sha256-" in policy
    assert len(known.find("script")) == 1


def test_the_policy_names_the_script_that_is_there(page):
    import base64
    import hashlib

    script = re.search(r"<script>(.*)</script>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page


def test_colours_stand_in_the_style_sheet_only(page):
    drawn = page.split("</style>")[1]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(", drawn)
    for words in ("prefers-color-scheme: dark", '[data-theme="dark"]', "@media print", "#0072b2", "#d55e00"):
        assert words in page


def test_the_same_input_gives_the_same_bytes(page, plain, tmp_path):
    again = render_report(*plain, title="Pump 7", facts={"Command": "tsprout run a.csv -o out/"})
    assert again == page
    path = write_report(
        tmp_path / "report.html", *plain, title="Pump 7", facts={"Command": "tsprout run a.csv -o out/"}
    )
    assert path.read_bytes() == page.encode()
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    other = tmp_path / "elsewhere.py"
    other.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from report_sets import case; from tsprout.report.html import render_report\n"
        "page = render_report(*case('plain'), title='Pump 7', facts={'Command': 'tsprout run a.csv -o out/'})\n"
        "sys.stdout.buffer.write(page.encode())\n"
    )
    tests, root = Path(__file__).parents[1], Path(html.__file__).parents[2]
    done = subprocess.run([sys.executable, other, tests], capture_output=True, cwd=root, check=True)
    assert done.stdout == page.encode()


@pytest.mark.parametrize("name", CASES)
def test_hard_cases_are_drawn_without_a_warning(name):
    found = case(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = render_report(*found)
    drawn = Page(page).find
    assert len(page) < 600_000
    assert not re.search(r"\b(nan|inf|None)\b", page.split("</style>")[1])
    for attributes in (*drawn("path"), *drawn("rect"), *drawn("line"), *drawn("text"), *drawn("svg")):
        for key in set(attributes) & {"x", "y", "x1", "x2", "y1", "y2", "width", "height"}:
            assert np.isfinite(float(attributes[key].rstrip("%")))
    assert len(drawn("figure")) >= 6


def test_text_of_the_user_is_text():
    real, made, scores = case("hostile names")
    evil = HOSTILE[0] + HOSTILE[3]
    scores = replace(scores, notes=(evil,), scores=tuple(replace(score, title=evil, unit=evil) for score in scores))
    ids = np.array([f"<b>{i}</b>" for i in range(len(real))], dtype=object)
    real = replace(real, ids=ids)
    page = render_report(real, made, scores, title=evil, facts={evil: evil, "Lone": "a\ud800b"})
    known = Page(page)
    assert len(known.find("script")) == 1
    assert not known.find("b") or all("onload" not in attributes for attributes in known.find("b"))
    assert "alert(1)" in known.text
    assert "{{ 7*7 }}" in known.text
    assert "<b>3</b>" in known.text or "<b>0</b>" in known.text
    assert not set("\u202e\x00\x07") & set(page)
    assert HOSTILE[2] in known.text  # the whole name stands at the end
    headings = re.findall(r"<figcaption.*?><bdi>(.*?)</bdi>", page)
    assert max(len(unescape(words)) for words in headings) <= 50
    page.encode()


def test_at_most_eight_channels_are_drawn_and_all_are_named():
    page = render_report(*case("many channels"))
    text = Page(page).text
    assert text.count("The first 8 of 64 channels") == 5
    assert "The first 32 of 64 channels" in text
    assert all(f"channel_{i}" in text for i in range(64))
    assert page.count("sample paths, real and synthetic") == 8


def test_twenty_one_channels_of_a_thousand_series_stay_small():
    real, made = walks(50, 21, 96), walks(1000, 21, 96, 1)
    page = render_report(*sets(real, made))
    assert len(page.encode()) < 1_500_000


def test_one_channel_has_no_correlation_and_few_series_no_map():
    text = Page(render_report(*case("one of one"))).text
    assert "There is one channel" in text
    assert "too few different series for a map" in text
    assert "could not be measured" in text
    text = Page(render_report(*sets(walks(3, 2, 9), walks(4, 2, 9, 1)))).text
    assert "no t-SNE map" in text


def test_copies_and_unseen_series_are_told():
    shots, held = SeriesSet.from_arrays(walks(10, 1, 24)), SeriesSet.from_arrays(walks(60, 1, 24, 5))
    copied = SeriesSet.from_arrays(np.repeat(shots.values, 10, axis=0))
    scores = quick_scores(held.values, copied.values, shots=shots.values)
    text = Page(render_report(held, copied, scores, shots=shots)).text
    assert "They are close to copies of your series." in text
    assert "10 shown to the model" in text
    assert "Compared with real series that the model has not seen." in text
    assert "For unseen real series, most distances lie" in text


def test_pairs_run_from_the_nearest_to_the_farthest_and_name_the_nearest():
    from tsprout.report.neighbours import find

    shots, made = walks(6, 2, 20), walks(50, 2, 20, 1)
    made[17] = shots[4] + 1e-3
    found = find(made, shots, shots)
    assert found.pairs[0][:2] == (17, 4)
    distances = [distance for _, _, distance in found.pairs]
    assert distances == sorted(distances)
    assert distances[0] < 1e-2
    assert len(found.pairs) == 8
    assert not found.held_out
    assert find(made, shots, np.concatenate([shots, walks(9, 2, 20, 7)])).reference.shape == (9,)
    for at, nearest, distance in found.pairs:
        gaps = np.sqrt(np.mean(((made[at] - shots) / shots.std(axis=(0, 2))[:, None]) ** 2, axis=(1, 2)))
        assert gaps.argmin() == nearest
        assert gaps.min() == pytest.approx(distance)


def test_scores_are_grouped_where_they_say_so(plain):
    class Grouped:
        def __init__(self, score, group):
            self.score, self.group = score, group

        def __getattr__(self, name):
            return getattr(self.score, name)

    scores = replace(
        plain[2],
        scores=tuple(Grouped(score, "values" if i < 3 else "whole series") for i, score in enumerate(plain[2])),
    )
    page = render_report(*plain[:2], scores)
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["Values", "Whole series"]
    assert page.count("<table") == 2


def test_without_scores_the_reason_takes_their_place(plain):
    scores = replace(plain[2], scores=(), notes=("There are no scores: too short.",))
    known = Page(render_report(*plain[:2], scores))
    assert "There are no scores: too short." in known.text
    assert not known.find("table")
    assert "#scores" not in [attributes["href"] for attributes in known.find("a")]


@pytest.mark.parametrize("direction", ["lower", "higher", "one"])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, np.inf), (-np.inf, np.inf)])
def test_scales_hold_their_marks(plain, direction, bounds):
    from tsprout.report.scale import ends, scale

    score = replace(
        plain[2].scores[0],
        direction=direction,
        range=bounds,
        value=Interval(0.5, 0.4, np.inf),
        floor=Interval(0.45, 0.35, 0.55),
        shots=Interval(0.7, 0.6, 0.8),
        noise=Interval(900.0, 800.0, 1000.0) if np.isinf(bounds[1]) else Interval(1.0, 1.0, 1.0),
    )
    low, high = ends(score)
    assert low < 0.35 < 0.7 < high < 20
    drawn = scale(score)
    places = [float(place) for place in re.findall(r'x[12]?="([\d.]+)%"', drawn)]
    assert places
    assert all(0 <= place <= 100 for place in places)
    assert ('class="beyond"' in drawn) == np.isinf(bounds[1])
    assert "0.5" in drawn


def test_what_cannot_be_drawn_is_refused_in_words(plain):
    real, made, scores = plain
    other = SeriesSet.from_arrays(walks(3, 1, 12))
    with pytest.raises(InputError, match="2 channels and the synthetic ones 1"):
        render_report(real, other, scores)
    with pytest.raises(InputError, match="2 channels and the shown ones 1"):
        render_report(real, made, scores, shots=other)
    with pytest.raises(InputError, match="nothing to report"):
        render_report(real, made[:0], scores)


def test_nothing_is_left_behind_when_it_fails(plain, tmp_path, monkeypatch):
    with pytest.raises(TsproutError, match="cannot be written"):
        write_report(tmp_path / "no" / "such.html", *plain)
    (tmp_path / "taken").mkdir()
    with pytest.raises(TsproutError, match="cannot be written"):
        write_report(tmp_path / "taken", *plain)
    old = tmp_path / "old.html"
    old.write_bytes(b"old")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(html.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_report(old, *plain)
    assert old.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.html", "taken"]


def test_importing_the_report_loads_nothing_heavy():
    code = (
        "import sys, tsprout.report.html;"
        "heavy = ('torch', 'pandas', 'pyarrow', 'matplotlib', 'scipy', 'sklearn', 'jinja2');"
        "print([m for m in heavy if m in sys.modules])"
    )
    root = Path(html.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"

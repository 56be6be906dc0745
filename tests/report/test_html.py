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
from tsprout.metrics import Interval, Score, Scores, quick_scores, verdicts
from tsprout.report import html, words
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
        < text.index(words.lead(scores)[0])
        < text.index(words.tally(scores)[0][0])
        < text.index("sign of being copies.")
        < text.index("Every score beside")
    )
    for said in (*scores.notes, "8 real", "40 synthetic", "2 channels", "24 time steps", "tsprout run a.csv -o out/"):
        assert said in text
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
    for said in ("prefers-color-scheme: dark", '[data-theme="dark"]', "@media print", "#0072b2", "#d55e00"):
        assert said in page


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


def judged(verdict: str, value: float = 0.3, name: str = "marginal", **changes) -> Score:
    """A score by its verdict, between a floor of 0.1 and noise of 0.9."""
    at = {"floor": Interval(0.1, 0.1, 0.1), "shots": Interval(0.5, 0.5, 0.5), "noise": Interval(0.9, 0.9, 0.9)}
    given = {"title": "Quantile error", "direction": "lower", "range": (0.0, 1.0), "unit": "", "explanation": ""}
    return Score(
        **(
            given
            | at
            | {"name": name, "value": Interval(value, value, value), "few": False, "verdict": verdict}
            | changes
        )
    )


def of(plain, *scores: Score) -> Scores:
    return replace(plain[2], scores=scores, few=False, held_out=True)


def test_grades_of_what_leaks_helps_and_harms():
    assert words.GRADES[verdicts.LEAKS] == words.GRADES[verdicts.HARMS] == "poor"
    assert words.GRADES[verdicts.HELPS] == "good"
    for name in ("WORSE_THAN_REAL", "NO_BETTER_THAN_NOISE"):
        if hasattr(verdicts, name):
            assert words.GRADES[getattr(verdicts, name)] == "poor"
    for verdict in (verdicts.NO_CHANGE, verdicts.UNCLEAR, getattr(verdicts, "BLIND", "this score cannot tell here")):
        assert words.grade(judged(verdict)) == "open"


def test_the_card_on_copies_is_not_green_where_members_can_be_told(plain):
    far = judged(verdicts.FAR_ENOUGH, 1.0, "copying", direction="one", group="copying")
    leak = judged(verdicts.LEAKS, 0.42, "membership", group="copying")
    assert words.copying(of(plain, far)).grade == "good"
    card = words.copying(of(plain, far, leak))
    assert card.grade == "poor"
    assert card.heading == "They tell which real series were among yours."
    assert "92 % of all cases" in card.body
    assert words.copying(of(plain, leak)).grade == "poor"
    copies = words.copying(of(plain, replace(far, verdict=verdicts.COPIES), leak))
    assert copies.heading == "They are close to copies of your series."
    assert "92 % of all cases" in copies.body
    assert 'class="statement poor"' in render_report(*plain[:2], of(plain, far, leak))


@pytest.mark.parametrize(
    ("scores", "judgement", "finding"),
    [
        ([judged(verdicts.AS_GOOD)] * 3, "pass for real ones on every score that can tell.", ""),
        (
            [judged(verdicts.AS_GOOD), judged(verdicts.BETTER)],
            "come near to real ones, though not on every score.",
            "Furthest from real is the quantile error: 0.3",
        ),
        ([judged(verdicts.AS_GOOD)] * 3 + [judged(verdicts.WORSE)], "in some respects and not in", "The worst is the"),
        (
            [judged(verdicts.AS_GOOD), *[judged(verdicts.UNCLEAR)] * 2],
            "As far as can be told, the synthetic series pass for real ones.",
            "",
        ),
        ([judged(verdicts.UNCLEAR)], "too few series to tell how good", ""),
        (
            [judged(verdicts.WORSE, 0.8, title="Frechet distance"), judged(verdicts.WORSE, 0.7)],
            "do not pass for real ones.",
            "The worst is the Frechet distance: 0.800, where another real sample scores 0.100.",
        ),
        (
            [judged(verdicts.WORSE, 0.9), judged(verdicts.WORSE, 0.49, "two_sample")],
            "do not pass for real ones.",
            "A classifier tells them apart almost every time.",
        ),
        ([judged(verdicts.WORSE, 0.35, "discriminative")], "do not pass", "tells them apart most of the time."),
        (
            [judged(verdicts.AS_GOOD), judged(verdicts.COPIES, 0.1, "copying", group="copying")],
            "on every score that can tell, but they are close to copies of your series.",
            "",
        ),
        (
            [judged(verdicts.WORSE), judged(verdicts.LEAKS, 0.4, "membership", group="copying")],
            "do not pass for real ones, and they give away which real series were among yours.",
            "The worst",
        ),
    ],
)
def test_the_page_leads_with_one_judgement_and_the_worst_finding(plain, scores, judgement, finding):
    found = words.lead(of(plain, *scores))
    assert judgement in found[0]
    assert finding in found[1] and bool(finding) == bool(found[1])
    page = render_report(*plain[:2], of(plain, *scores))
    assert found[0] in page and found[1] in page


def test_facts_say_nothing_twice(plain):
    from tsprout import __version__

    own = {"Suite": "quick", "seed": str(plain[2].seed), "tsprout": __version__, "Model": "small"}
    text = Page(render_report(*plain, facts=own)).text
    facts = text[text.index("Seed of the scores") :]
    assert facts.count("tsprout") == 1
    assert facts.lower().count("seed") == 1
    assert "Suite quick" in facts and "Model small" in facts
    assert "seed 7" in Page(render_report(*plain, facts={"seed": "7"})).text  # another one is no repetition


def test_a_map_shows_as_many_real_as_synthetic_series():
    from tsprout.report.neighbours import embed

    found = embed(walks(60, 1, 12), walks(200, 1, 12, 1))
    assert (found.n_real, len(found.pca)) == (60, 120)
    found = embed(walks(200, 1, 12), walks(70, 1, 12, 1))
    assert (found.n_real, len(found.pca)) == (70, 140)
    found = embed(walks(8, 1, 12), walks(200, 1, 12, 1))
    assert (found.n_real, len(found.pca)) == (8, 58)


def test_the_figure_of_the_autocorrelation_says_what_it_shows(page):
    section = page[page.index('<section id="memory"') : page.index('<section id="rhythms"')]
    assert section.count("<span>autocorrelation by lag</span>") == 2
    assert "correlation of a series with itself" in section


def test_on_paper_a_heading_stays_with_its_table_and_the_verdict_has_room(page):
    style = page[page.index("@media print") : page.index("</style>")]
    assert re.search(r"h2, h3 \{ break-after: avoid; \}", style)
    assert not re.search(r"h3[^{]*\{ break-before", style)
    first, second, third, fifth = (
        float(re.search(rf"nth-child\({i}\)[^{{]*\{{ width: ([\d.]+)%", style)[1]) for i in (1, 2, 4, 6)
    )
    assert 100 - first - second - 2 * third - 2 * fifth >= 18


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
    (tmp_path / "taken").mkdir()
    with pytest.raises(TsproutError, match="is a directory"):
        write_report(tmp_path / "taken", *plain)
    old = tmp_path / "old.html"
    old.write_bytes(b"old")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tsprout.staging.os.replace", stop)
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

"""The report in a real browser: nothing is asked of the network, and everything is seen, on a phone as on a desk.

Skipped where no Chromium is found: name one in the environment variable ``CHROMIUM``, or have ``chromium`` on ``PATH``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from report_sets import HOSTILE, case

from tsprout.report.html import write_report

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CASES = ("plain", "hostile names", "many channels", "one of one", "on a high level", "empty channel")

# figures without a size, text that leaves the page, and text cut off by what it stands in
PROBLEMS = """() => {
  const found = [], wide = document.documentElement.clientWidth;
  for (const svg of document.querySelectorAll("svg[role=img]")) {
    const box = svg.getBoundingClientRect();
    if (box.width < 50 || box.height < 20) found.push("no size: " + svg.getAttribute("aria-label"));
    for (const text of svg.querySelectorAll("text")) {
      const own = text.getBoundingClientRect(), shown = getComputedStyle(svg).overflow === "visible";
      const slack = 1.5 * Math.max(box.width / (svg.viewBox.baseVal.width || box.width), 1);
      const outside = own.left < box.left - slack || own.right > box.right + slack
        || own.top < box.top - slack || own.bottom > box.bottom + slack;
      if (outside && !shown) found.push("cut in figure: " + text.textContent + " | " + svg.getAttribute("aria-label"));
      if (own.left < 0 || own.right > wide) found.push("beyond the page: " + text.textContent);
    }
  }
  for (const each of document.querySelectorAll("main :not(svg):not(svg *)")) {
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    if (style.clipPath !== "none" || each.closest("thead")) continue;
    if (box.right > wide + 1 || box.left < -1) found.push("beyond the page: " + each.tagName + " " + each.className);
    const hides = style.overflowX !== "visible" || style.overflowY !== "visible";
    if (hides && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1))
      found.push("cut: " + each.tagName + " " + each.textContent.slice(0, 40));
  }
  return found;
}"""
WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"
GROUND = "getComputedStyle(document.body).backgroundColor"
BUTTON = "getComputedStyle(document.getElementById('theme')).display"


def chromium() -> str | None:
    """The browser to use, if there is one."""
    named = os.environ.get("CHROMIUM")
    names = (named,) if named else ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: install one, or name it in the environment variable CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    return {
        name: write_report(
            folder / f"{name}.html",
            *case(name),
            title=HOSTILE[0] + HOSTILE[2] if name == "hostile names" else None,
            facts={"Command": "tsprout run " + "a-long-name/" * 30},
        )
        for name in CASES
    }


class Visit:
    """One page in one context: what it said, what it asked for."""

    def __init__(self, browser, path: Path, width: int, scheme: str, *, scripts: bool = True) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts, offline=True
        )
        own = path.as_uri()
        self.context.route("**/*", lambda route: route.continue_() if route.request.url == own else route.abort())
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.goto(own)
        self.asked = [url for url in self.asked if url != own and not url.startswith("data:")]

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", CASES)
def test_all_is_seen_and_nothing_is_asked_for(browser, reports, name, width, scheme):
    with Visit(browser, reports[name], width, scheme) as visit:
        scroll, inner = visit.page.evaluate(WIDTHS)
        assert scroll <= inner
        assert visit.page.evaluate(PROBLEMS) == []
        assert visit.page.locator("figure svg[role=img]").count() >= 6
        dark = sum(int(part) for part in visit.page.evaluate(GROUND)[4:-1].split(",")) < 200
        assert dark == (scheme == "dark")
        assert not visit.said
        assert not visit.asked


@pytest.mark.parametrize("width", [320, 600, 601, 800, 961])
def test_the_widths_between_hold_too(browser, reports, width):
    with Visit(browser, reports["hostile names"], width, "light") as visit:
        scroll, inner = visit.page.evaluate(WIDTHS)
        assert scroll <= inner
        assert visit.page.evaluate(PROBLEMS) == []


@pytest.mark.parametrize("name", ["plain", "hostile names"])
def test_paper_is_light_and_has_no_button(browser, reports, name, tmp_path):
    with Visit(browser, reports[name], 700, "dark") as visit:
        visit.page.emulate_media(media="print", color_scheme="dark")
        assert visit.page.evaluate(GROUND) == "rgb(255, 255, 255)"
        assert visit.page.evaluate(BUTTON) == "none"
        scroll, inner = visit.page.evaluate(WIDTHS)
        assert scroll <= inner
        assert visit.page.evaluate(PROBLEMS) == []
        assert visit.page.pdf(format="A4", path=tmp_path / "report.pdf").startswith(b"%PDF")
        assert not visit.said
        assert not visit.asked


def test_the_button_switches_and_paper_stays_light(browser, reports):
    with Visit(browser, reports["plain"], 1280, "light") as visit:
        before = visit.page.evaluate(GROUND)
        visit.page.click("#theme")
        after = visit.page.evaluate(GROUND)
        assert before != after
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate(GROUND) == "rgb(255, 255, 255)"
        visit.page.emulate_media(media="screen")
        visit.page.click("#theme")
        assert visit.page.evaluate(GROUND) == before


def test_real_and_synthetic_can_be_hidden(browser, reports):
    shown = "[...document.querySelectorAll('#paths .{}')].map(each => getComputedStyle(each).opacity)"
    with Visit(browser, reports["plain"], 1280, "light") as visit:
        visit.page.click("label.chip.s")
        assert set(visit.page.evaluate(shown.format("s"))) == {"0"}
        assert set(visit.page.evaluate(shown.format("r"))) == {"1"}


def test_without_scripts_the_page_is_whole_and_has_no_dead_button(browser, reports):
    with Visit(browser, reports["plain"], 390, "dark", scripts=False) as visit:
        assert visit.page.locator("#theme").is_hidden()
        assert visit.page.locator("figure svg[role=img]").first.is_visible()
        assert visit.page.locator(".summary").is_visible()
        assert not visit.asked


def test_a_request_would_have_been_seen(browser, tmp_path):
    page = tmp_path / "leaky.html"
    page.write_text("<img src='http://example.invalid/a.png'><p style='width:5000px'>wide</p>")
    with Visit(browser, page, 390, "light") as visit:
        assert visit.asked == ["http://example.invalid/a.png"]
        assert visit.said
        scroll, inner = visit.page.evaluate(WIDTHS)
        assert scroll > inner

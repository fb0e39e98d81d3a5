"""The page of `report` in a real browser: what it asks for, what it says, how it looks on a screen and on paper."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsreceipt.model import Instant
from smsreceipt.output import html
from tests.output.browser import Browser, browser
from tests.output.sample_stats import PAGES, stats

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium"), pytest.mark.xdist_group("chromium")]
each_page = pytest.mark.parametrize("name", [*PAGES])
#: Elements that reach beyond the width of the window, except what scrolls in its card.
BEYOND = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide') &&
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
VISIBLE = "document.body.innerText"
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    for name, value in PAGES.items():
        page = html.page(stats(value), chinese=True, made_at=Instant(1_796_000_000_000))
        (made / f"{name}.html").write_bytes(page)
    return made


@each_page
def test_nothing_is_asked_for_and_nothing_complained_about_at_either_width(
    tab: Browser, folder: Path, name: str
) -> None:
    path = folder / f"{name}.html"
    for width in (1280, 390):
        tab.open(path, width=width)
        assert tab.requests() == [path.as_uri()]
        assert tab.messages() == []
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.run(BEYOND) == []


def test_the_language_changes_without_a_script(tab: Browser, folder: Path) -> None:
    tab.open(folder / "day.html")
    chinese = tab.run(VISIBLE)
    assert "失败原因" in chinese
    assert "Why messages failed" not in chinese
    tab.run("document.getElementById('language-en').click()")
    english = tab.run(VISIBLE)
    assert "Why messages failed" in english
    assert "失败原因" not in english
    # Text in the charts follows.
    assert tab.run("getComputedStyle(document.querySelector('tspan.en')).display") == "inline"
    assert tab.run("getComputedStyle(document.querySelector('tspan.zh')).display") == "none"


def test_the_page_reads_without_its_style_sheet(tab: Browser, folder: Path) -> None:
    tab.open(folder / "day.html", styles=False)
    text = tab.run(VISIBLE)
    assert "失败原因" in text
    assert "Why messages failed" not in text
    fill = "getComputedStyle(document.querySelector('rect.%s')).fill"
    assert tab.run(fill % "delivered") == "rgb(127, 166, 221)"
    assert tab.run(fill % "failed") == "rgb(209, 69, 59)"


def test_the_page_is_dark_where_the_system_is(tab: Browser, folder: Path) -> None:
    grounds = []
    for dark in (False, True):
        tab.open(folder / "day.html", dark=dark)
        grounds.append(sum(map(int, re.findall(r"\d+", tab.run(GROUND)))))
    assert grounds[0] > 3 * 220
    assert grounds[1] < 3 * 40


@pytest.mark.parametrize(("width", "columns"), [(1280, 6), (900, 3), (390, 2)])
def test_the_six_figures_stand_in_rows(tab: Browser, folder: Path, width: int, columns: int) -> None:
    tab.open(folder / "day.html", width=width)
    assert tab.run("getComputedStyle(document.querySelector('.six')).gridTemplateColumns").count("px") == columns
    display = tab.run("getComputedStyle(document.querySelector('.codes tbody td')).display")
    assert (display != "table-cell") == (width == 390)


def test_the_page_can_be_read_with_the_colours_and_the_size_of_text_that_it_has(tab: Browser, folder: Path) -> None:
    """Text in the cells of the map stands out from its ground, in both colour schemes (WCAG: 4.5 to 1)."""
    contrast = """[...document.querySelectorAll('.value, .value-low, .name, .name-low')].map(text => {
      const light = colour => { const [r, g, b] = colour.match(/\\d+/g).map(v => v / 255).map(
        v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
      const cell = text.parentElement.querySelector('rect'); if (!cell) return 21
      const [a, b] = [getComputedStyle(text).fill, getComputedStyle(cell).fill].map(light)
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) })"""
    for dark in (False, True):
        tab.open(folder / "day.html", dark=dark)
        assert min(tab.run(contrast)) >= 4.5


def test_it_is_printed_light_on_a4(tab: Browser, folder: Path) -> None:
    tab.open(folder / "day.html", dark=True)
    pdf = tab.pdf()
    sizes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert {(round(float(width)), round(float(height))) for width, height in sizes} == {(595, 842)}
    assert 2 <= len(sizes) <= 4
    colours = re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg", b"".join(_unpacked(pdf)))
    drawn = {tuple(round(float(part) * 255) for part in colour) for colour in colours}
    assert {(255, 255, 255), (127, 166, 221)} <= drawn  # cards and bars of the light page
    assert not drawn & {(15, 21, 28), (24, 33, 43), (74, 116, 181)}  # ground, cards and bars of the dark one


def _unpacked(pdf: bytes) -> Iterator[bytes]:
    """The content of each compressed stream."""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(stream)
        except zlib.error:
            continue


def test_a_screenshot_has_the_whole_page(tab: Browser, folder: Path) -> None:
    tab.open(folder / "day.html")
    png = tab.screenshot()
    assert png.startswith(b"\x89PNG")
    height = int.from_bytes(png[20:24])
    assert height == tab.run("document.documentElement.scrollHeight") > 2000

"""The page of `report`: valid, harmless, in both languages, whatever the day was like."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.model import Instant
from smsreceipt.output import html
from smsreceipt.output.html import bars, charts, maps, scales, svg, words
from smsreceipt.output.records import json_line
from smsreceipt.output.safe import ACTIVE
from tests.output.sample_stats import HOSTILE, PAGES, cell, plain, stats

MADE_AT = Instant(1_796_000_000_000)
MOBILE = re.compile(r"1[3-9]\d{9}")
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
#: To parse a page takes longer than all else: each process parses its own once.
pytestmark = pytest.mark.xdist_group("pages")
SHAPES = {"rect": ("x", "y", "width", "height"), "line": ("x1", "x2", "y1", "y2"), "circle": ("cx", "cy", "r")}
each_page = pytest.mark.parametrize("name", [*PAGES])


def page(value: dict[str, Any] | None = None, *, chinese: bool = False, **options: Any) -> str:
    return html.page(stats(value), chinese=chinese, made_at=MADE_AT, **options).decode()


@cache
def made(name: str, *, chinese: bool = False) -> str:
    """The page of that name."""
    return page(PAGES[name], chinese=chinese)


@cache
def read(name: str, *, chinese: bool = False) -> ET.Element:
    """The same as a tree."""
    return tree(made(name, chinese=chinese))


def tree(text: str) -> ET.Element:
    """The page as a parser reads it that forgives nothing."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root: ET.Element = parser.parse(text)
    return root


def pictures(text: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in SVG.findall(text)]  # noqa: S314 - our own


def shown(element: ET.Element) -> str:
    """The text of the page that a reader sees without its style sheet."""
    parts = []
    for part in element.iter():
        if part.tag in {"style", "script", "title"} or part.get("display") == "none":
            continue
        parts.append(part.text or "")
        parts.append(part.tail or "")
    return " ".join(" ".join(parts).split())


@each_page
@pytest.mark.parametrize("chinese", [True, False])
def test_a_page_is_valid_html_and_its_pictures_are_valid_xml(name: str, chinese: bool) -> None:
    text, root = made(name, chinese=chinese), read(name, chinese=chinese)
    assert root.get("lang") == ("zh-CN" if chinese else "en")
    ids = [found.get("id") for found in root.iter() if found.get("id")]
    assert len(ids) == len({*ids})
    for picture in pictures(text):
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"


@each_page
def test_a_page_is_small_and_names_no_number(name: str) -> None:
    text = made(name)
    print(f"{name}: {len(text.encode()):,} bytes")
    assert len(text.encode()) < html.LARGEST == 300_000
    assert not MOBILE.search(text)


@each_page
def test_a_page_has_no_script_and_asks_for_nothing(name: str) -> None:
    text, root = made(name), read(name)
    assert [found.get("type") for found in root.iter("script")] in ([], ["application/json"])
    attributes = {(key, value) for found in root.iter() for key, value in found.attrib.items()}
    assert not [key for key, _ in attributes if str(key).startswith("on")]
    assert {value for key, value in attributes if key in {"href", "src", "action"}} == {"data:,"}
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import", text)
    [policy] = [found.get("content") for found in root.iter("meta") if found.get("http-equiv")]
    assert str(policy).startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


@each_page
def test_a_page_says_everything_in_both_languages(name: str) -> None:
    for chinese in (True, False):
        root = read(name, chinese=chinese)
        spans = {language: [f for f in root.iter("span") if f.get("class") == language] for language in ("en", "zh")}
        assert len(spans["en"]) == len(spans["zh"]) > 20
        hidden = {language: {"hidden" in found.attrib for found in found_} for language, found_ in spans.items()}
        assert hidden == {"en": {chinese}, "zh": {not chinese}}
        [checked] = [found.get("id") for found in root.iter("input") if "checked" in found.attrib]
        assert checked == ("language-zh" if chinese else "language-en")
        english = "".join(found.text or "" for found in spans["en"])
        assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"签+|示例..|退订|取消|拒收|回复", "", english))


@each_page
def test_each_mark_reads_without_the_style_sheet_and_each_picture_is_announced(name: str) -> None:
    found = pictures(made(name))
    for picture in found:
        announced = picture.get("role") == "img" and picture.get("aria-label")
        assert announced or picture.get("aria-hidden") == "true"
        assert picture.get("width")
        assert picture.get("height")
        for mark in picture.iter():
            kind = mark.tag.partition("}")[2]
            if kind in {*SHAPES, "polyline", "text"}:
                assert mark.get("class")
                assert mark.get("fill") or mark.get("stroke"), ET.tostring(mark)
                assert all(mark.get(key) for key in SHAPES.get(kind, ())), ET.tostring(mark)
    titles = [
        f for picture in found if picture.get("class") == "chart" for f in picture.iter() if f.tag.endswith("title")
    ]
    assert titles or name in {"empty", "nothing-received"}


def test_the_object_is_in_the_page_as_it_is_printed() -> None:
    [script] = read("day").iter("script")
    assert script.get("id") == "smsreceipt-stats"
    assert json.loads(str(script.text)) == json.loads(json_line(stats()))
    assert html.has_data(made("day").encode())


def test_the_object_can_be_left_out() -> None:
    text = page(data=False)
    assert not [*tree(text).iter("script")]
    assert not html.has_data(text.encode())


def test_an_object_that_would_make_the_page_too_large_is_left_out() -> None:
    value = plain()
    value["by"]["template"] = [cell(9, template=f"SMS_{n}" + "x" * 200) for n in range(300)]
    text = page(value)
    assert not html.has_data(text.encode())
    assert len(text) < html.LARGEST


def test_text_from_outside_does_nothing() -> None:
    text = made("hostile")
    assert not ACTIVE.search(text.replace("\n", ""))
    root = read("hostile")
    assert len([*root.iter("script")]) == 1
    visible = r"""</script><script>alert(1)</script>&"'\u202e\x07\x1b[31m\u2028]]>{{ 7 * 7 }}138****8000<!--"""
    assert visible[:60] in shown(root)
    [script] = root.iter("script")
    inside = json.loads(str(script.text))
    assert inside["by"]["sign"][0]["sign"] == HOSTILE.replace("13800138000", "138****8000")


def test_a_title_is_shown_and_escaped() -> None:
    root = tree(page(title="<b>Acme & Söhne</b>"))
    assert "<b>Acme & Söhne</b>" in shown(root)
    assert root.findtext("head/title") == "<b>Acme & Söhne</b> 2026-11-24"


@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("day", "China Telecom 14:00–16:00: 65.2 % delivered, 97.0 % in the period before, 805 lost"),
        ("empty", "The store has no receipt of a message that was sent in this period."),
        ("nothing-received", "The list of sends has 12 messages of this period"),
        ("no-list", "Import the list of what was sent"),
        ("few", "No sudden drop"),
        ("not-final", "provisional: receipts may come until 2026-11-28"),
        ("month", "2026-10-25 – 2026-11-24"),
        ("long-names", "SMS_000_" + "x" * 55 + "…"),
    ],
)
def test_a_page_says_what_is_special(name: str, english: str) -> None:
    assert english in shown(read(name))


def test_what_is_not_there_has_no_card() -> None:
    assert "How calls ended" in shown(read("day"))
    assert "How calls ended" not in shown(read("no-calls"))
    assert "No sudden drop" not in shown(read("not-compared"))


def test_a_rate_that_is_not_whole_is_not_shown_as_whole() -> None:
    assert words.percent(0.999999).en == "99.99 %"
    assert words.percent(0.0000001).en == "0.01 %"
    assert [words.percent(rate).en for rate in (0, 1, None)] == ["0.00 %", "100.00 %", "-"]


@given(st.integers(0, 10**12))
def test_the_quarters_of_an_axis_of_counts_are_whole_and_it_has_room(most: int) -> None:
    end = scales.top_of_count(most)
    assert end >= most
    assert end <= max(4, most * 1.6)
    assert end % 4 == 0


@given(st.floats(1e-6, 1))
def test_the_end_of_an_axis_of_shares_is_a_step_of_ours(most: float) -> None:
    end = scales.top(most)
    assert most * (1 - 1e-6) <= end <= most * 1.6
    assert f"{end:.1e}"[:3] in {"1.0", "1.2", "1.6", "2.0", "2.4", "3.2", "4.0", "6.0", "8.0"}


def chart(name: str, value: dict[str, Any] | None = None) -> svg.Element:
    found = stats(value)
    assert found.sms is not None
    assert found.by is not None
    picture = charts.charts(found, found.sms, found.by)[name]
    assert picture is not None
    return picture


def of(picture: svg.Element, look: str) -> list[svg.Element]:
    return [mark for mark in picture.iter() if mark.get("class") == look]


def test_bars_are_as_high_as_their_messages_and_the_hours_of_a_finding_are_marked() -> None:
    picture = chart("hours")
    tall = [float(mark.attrib["height"]) for mark in of(picture, "delivered")]
    by_hour = [row["delivered"] for row in plain()["by"]["hour"]]
    assert len(tall) == 24
    for height, messages in zip(tall, by_hour, strict=True):
        assert height == pytest.approx(messages * tall[10] / by_hour[10], abs=0.2)
    assert len(of(picture, "band")) == 2
    assert len(of(picture, "previous")) == 1
    assert of(picture, "previous")[0].get("stroke-dasharray")


def test_a_line_is_interrupted_where_nothing_is_known() -> None:
    value = plain()
    del value["by"]["hour"][5]
    assert len(of(chart("hours", value), "rate")) == 2


def test_billed_parts_have_a_bar_for_each_of_the_last_days() -> None:
    value = plain()
    for n, row in enumerate(value["trend"]):
        row["parts"] = n * 100  # none on the first day
    for row in value["by"]["day"]:
        row["parts"] = value["trend"][-1]["parts"]
    (picture,) = (each for each in SVG.findall(page(value)) if "billed parts of each day" in each)
    tall = [float(each) for each in re.findall(r'<rect[^>]*\bheight="([\d.]+)"', picture)]
    assert len(tall) == charts.DAYS - 1
    assert tall == sorted(tall)
    assert tall[0] == pytest.approx(tall[-1] / 13, rel=0.05)


def test_an_hour_without_messages_has_no_bar() -> None:
    slot = bars.Slot(words.same("00"), "", 0, 0, 0, None, None)
    full = bars.Slot(words.same("01"), "", 3, 1, 0, 0.75, None)
    picture = bars.volume_and_rate([slot, full], 400, 300, words.same("chart"))
    assert len(of(picture, "delivered")) == len(of(picture, "dot")) == 1


def test_cells_of_the_heat_map_have_their_numbers_and_the_found_ones_a_frame() -> None:
    picture = chart("heat")
    assert [mark.text for mark in of(picture, "value-low")] == ["65", "65"]
    assert len(of(picture, "framed")) == 2
    assert of(picture, "empty")  # too few messages
    titles = [mark.text or "" for mark in picture.iter("title")]
    assert [title for title in titles if "China Telecom / 中国电信  14:00–15:00" in title and "65.2" in title]


def test_a_colour_never_contradicts_its_number() -> None:
    shades = [maps.colour(rate) for rate in (1, 0.97, 0.9699, 0.95, 0.92, 0.85, 0.8499, 0)]
    assert shades == [0, 0, 1, 1, 2, 3, 4, 4]


def test_the_map_has_every_province_and_the_latencies_add_up() -> None:
    tiles = chart("provinces")
    assert len(of(tiles, "name")) == 31
    assert {"".join(mark.itertext()) for mark in of(tiles, "empty-name")} == {"TW台湾", "MO澳门", "HK香港"}
    last = [mark.text or "" for mark in chart("latency").iter("title")][-1]
    assert last.endswith("Σ 100.00 %")

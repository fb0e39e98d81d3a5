"""SVG elements. Each mark has plain attributes beside its class, so that it reads without the style sheet of the page.

A charting function returns an element tree without a language in it: texts are there twice, and :func:`serialised`
hides those of the other language. The style sheet of the page overrides the attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from markupsafe import Markup

from smsreceipt.output.html.words import Words, same

Element = ET.Element
Look = Mapping[str, str]

_FONT = {"font-family": "sans-serif", "font-size": "11"}
#: Class of a mark --> its plain attributes, the colours of the light page.
LOOKS: Mapping[str, Look] = {
    "delivered": {"fill": "#7fa6dd"},
    "failed": {"fill": "#d1453b"},
    "unknown": {"fill": "#a9b4c0"},
    "share": {"fill": "#d1453b"},
    "track": {"fill": "#e6eaef"},
    "band": {"fill": "#fbe3c0"},
    "gridline": {"stroke": "#e3e7ec"},
    "rate": {"fill": "none", "stroke": "#1f4e9c", "stroke-width": "2", "stroke-linejoin": "round"},
    "dot": {"fill": "#1f4e9c"},
    "previous": {"fill": "none", "stroke": "#8794a3", "stroke-width": "1.5", "stroke-dasharray": "4 3"},
    "marker": {"stroke": "#16202b", "stroke-dasharray": "3 2"},
    "faint": {"fill": "#c3d3ea"},
    "axis": {"fill": "#566372"},
    "label": {"fill": "#16202b", "font-size": "12"},
    "percentile": {"fill": "#16202b"},
    "value": {"fill": "#16202b"},
    "value-low": {"fill": "#ffffff"},
    "name": {"fill": "#16202b", "font-size": "12"},
    "name-low": {"fill": "#ffffff", "font-size": "12"},
    "heat-0": {"fill": "#d5ebe6"},
    "heat-1": {"fill": "#eef3d2"},
    "heat-2": {"fill": "#fdebb3"},
    "heat-3": {"fill": "#f8c795"},
    "heat-4": {"fill": "#c63d3d"},
    "framed": {"fill": "none", "stroke": "#16202b", "stroke-width": "1.5"},
    "empty": {"fill": "none", "stroke": "#d5dbe2", "stroke-dasharray": "2 2"},
    "empty-name": {"fill": "#8794a3", "font-size": "12"},
}


class Place(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Half of its width."""
        return self.x + self.width / 2


def picture(width: float, height: float, label: Words, look: str = "chart") -> Element:
    """An empty picture that a screen reader announces as *label*."""
    size = {"width": number(width), "height": number(height), "viewBox": f"0 0 {number(width)} {number(height)}"}
    named = {"role": "img", "aria-label": str(label)}
    return Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": look, **size, **_FONT, **named})


def mark(parent: Element, tag: str, look: str, title: str = "", /, **attributes: float | str) -> Element:
    """Add a mark of this look to the picture. *title*: what is shown where a pointer rests on it."""
    found = {name.replace("_", "-"): _text(value) for name, value in attributes.items()}
    made = ET.SubElement(parent, tag, {"class": look, **LOOKS[look], **found})
    if title:
        ET.SubElement(made, "title").text = title
    return made


def rect(parent: Element, look: str, place: Place, *, rx: float = 0, title: str = "") -> Element:
    """Add a rectangle; *rx*: how round its corners are."""
    round_ = {"rx": rx} if rx else {}
    return mark(parent, "rect", look, title, x=place.x, y=place.y, width=place.width, height=place.height, **round_)


def group(parent: Element, title: str) -> Element:
    """Add a group of marks that share a title."""
    made = ET.SubElement(parent, "g")
    ET.SubElement(made, "title").text = title
    return made


def text(parent: Element, look: str, words: Words | str, x: float, y: float, anchor: str = "start") -> Element:
    """Add a text; *anchor* tells which end of it lies at *x*: start, middle or end."""
    made = mark(parent, "text", look, x=x, y=y, text_anchor=anchor)
    words = same(words) if isinstance(words, str) else words
    if not words.differ:
        made.text = words.en
        return made
    for language, part in zip(("en", "zh"), words, strict=True):
        ET.SubElement(made, "tspan", {"class": language}).text = part
    return made


def lines(parent: Element, look: str, points: Sequence[tuple[float, float] | None]) -> None:
    """Add a line through the points, interrupted where there is None."""
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{number(point[0])},{number(point[1])}")
    for run in runs:
        if len(run) > 1:
            mark(parent, "polyline", look, points=" ".join(run))


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)


def serialised(root: Element, *, chinese: bool) -> Markup:
    """The picture as XML, which shows the texts of one language until the style sheet of the page says otherwise."""
    for part in root.iter("tspan"):
        if part.get("class") == ("en" if chinese else "zh"):
            part.set("display", "none")
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree has escaped every text

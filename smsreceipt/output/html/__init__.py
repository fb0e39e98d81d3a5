"""The report: the object of `stats --json` as one HTML page that loads nothing and has no script.

Its texts are there in English and in Chinese. Charts are SVG that is drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from smsreceipt import __version__
from smsreceipt.insight.answer import FINAL_AFTER
from smsreceipt.insight.definitions import DEFINITIONS, SCOPE
from smsreceipt.insight.stats import Stats, as_json
from smsreceipt.model import Instant
from smsreceipt.output.formatting import wall_clock
from smsreceipt.output.html import cards, charts, findings, sparks, svg, tables
from smsreceipt.output.html.words import Words, percent, same, seconds
from smsreceipt.output.mask import mask_numbers
from smsreceipt.output.records import json_line
from smsreceipt.output.safe import safe

if TYPE_CHECKING:
    from jinja2 import Template

LARGEST = 300_000  #: bytes of a page; with larger data it is left out
_FINAL_AFTER = timedelta(milliseconds=FINAL_AFTER)


def page(stats: Stats, *, chinese: bool, made_at: Instant, title: str = "", data: bool = True) -> bytes:
    """The page in UTF-8. *chinese*: which language shows first. *data*: the object is in the page too.

    *stats* has the figures of messages, at least.
    The object is left out where the page would be larger than LARGEST bytes. Phone numbers in names of templates and
    signatures are masked, and active characters are visible escapes.
    """
    masked = _each_text(as_json(stats), mask_numbers)
    context = _context(msgspec.convert(_each_text(masked, safe), Stats), chinese=chinese)
    context["made_at"] = wall_clock(made_at, year=True)[:-3]
    if title:
        context["heading"] = same(safe(title))
    template = _template()
    made = template.render(context, data=_embedded(masked) if data else "").encode()
    return made if len(made) <= LARGEST or not data else template.render(context, data="").encode()


def _context(stats: Stats, *, chinese: bool) -> dict[str, Any]:
    """What the template shows."""
    sms, groups = stats.sms, stats.by
    if sms is None or groups is None:
        raise ValueError("the page needs the figures of messages")

    def drawn(chart: svg.Element | None) -> str:
        return "" if chart is None else svg.serialised(chart, chinese=chinese)

    compared = stats.compared_with
    return {
        "chinese": chinese,
        "heading": _heading(stats),
        "period": _period(stats.first, stats.last),
        "compared": _period(compared.first, compared.last) if compared else None,
        "provisional": None if stats.final else date.fromisoformat(stats.last) + timedelta(days=1) + _FINAL_AFTER,
        "findings": [findings.sentence(one, with_day=stats.first != stats.last) for one in stats.findings],
        "cards": cards.cards(stats, sms, groups),
        "charts": {name: drawn(chart) for name, chart in charts.charts(stats, sms, groups).items()},
        "definitions": [*_definitions()],
        "drawn": drawn,
        "swatch": lambda look: drawn(sparks.swatch(look)),
        "groups": groups,
        "percent": percent,
        "seconds": seconds,
        "sms": sms,
        "stats": stats,
        "tables": tables,
        "version": __version__,
    }


def _definitions() -> Iterator[tuple[Words, Words]]:
    """What the figures mean: terms, and their formulas with a note."""
    yield Words("Message", "短信"), Words(*SCOPE)
    for each in DEFINITIONS:
        (en, zh), (note_en, note_zh) = each.formula, each.note
        meaning = Words(f"{en}; {note_en}", f"{zh}；{note_zh}") if note_en else Words(en, zh)
        yield Words(each.name[0].capitalize(), each.name[1]), meaning


def has_data(made: bytes) -> bool:
    """Whether the object is in a page."""
    return b'<script type="application/json" id="smsreceipt-stats">' in made


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("smsreceipt.output.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _embedded(stats: Mapping[str, Any]) -> str:
    """The object as JSON that cannot end the element that it stands in."""
    from markupsafe import Markup

    text = json_line(stats).decode().rstrip("\n").replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - without <, an element of data cannot end, nor a comment begin


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value in which each text is changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value


def _heading(stats: Stats) -> Words:
    en, zh = ("SMS and calls", "短信与通话") if stats.calls and stats.calls.ended else ("SMS", "短信")
    daily = stats.first == stats.last
    return Words(f"{en}: daily report", f"{zh}日报") if daily else Words(f"{en}: report", f"{zh}报告")


def _period(first: str, last: str) -> Words:
    return same(first) if first == last else Words(f"{first} – {last}", f"{first} 至 {last}")

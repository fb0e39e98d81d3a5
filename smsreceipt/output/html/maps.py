"""Delivery rates as numbers in coloured cells: carriers by hours, and the provinces of the country."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import floor

from smsreceipt.insight.stats import Cell, Trend
from smsreceipt.output.html import svg
from smsreceipt.output.html.svg import Place
from smsreceipt.output.html.words import Words, percent

#: The lowest rate of each colour but the last one.
LIMITS = (0.97, 0.95, 0.92, 0.85)
FEWEST = 30  #: messages that a cell needs for its rate to be shown
_LEFT, _CELL = 104, 26

#: Provinces: their codes (GB/T 2260), and where their tiles are: column and row.
_TILES = {
    "Heilongjiang": ("HL", 7, 0), "Inner Mongolia": ("NM", 4, 1), "Jilin": ("JL", 7, 1), "Xinjiang": ("XJ", 0, 2),
    "Gansu": ("GS", 1, 2), "Ningxia": ("NX", 2, 2), "Beijing": ("BJ", 5, 2), "Tianjin": ("TJ", 6, 2),
    "Liaoning": ("LN", 7, 2), "Qinghai": ("QH", 1, 3), "Shaanxi": ("SN", 3, 3), "Shanxi": ("SX", 4, 3),
    "Hebei": ("HE", 5, 3), "Shandong": ("SD", 6, 3), "Tibet": ("XZ", 0, 4), "Sichuan": ("SC", 2, 4),
    "Chongqing": ("CQ", 3, 4), "Henan": ("HA", 4, 4), "Anhui": ("AH", 5, 4), "Jiangsu": ("JS", 6, 4),
    "Shanghai": ("SH", 7, 4), "Guizhou": ("GZ", 3, 5), "Hubei": ("HB", 4, 5), "Jiangxi": ("JX", 5, 5),
    "Zhejiang": ("ZJ", 6, 5), "Yunnan": ("YN", 2, 6), "Guangxi": ("GX", 3, 6), "Hunan": ("HN", 4, 6),
    "Guangdong": ("GD", 5, 6), "Fujian": ("FJ", 6, 6), "Taiwan": ("TW", 7, 6), "Hainan": ("HI", 4, 7),
    "Macao": ("MO", 5, 7), "Hong Kong": ("HK", 6, 7),
}  # fmt: skip


def colour(rate: float) -> int:
    """The index of the colour of a rate: 0 is the best, 4 the worst."""
    return next((n for n, limit in enumerate(LIMITS) if rate >= limit), len(LIMITS))


def heat(
    carriers: Sequence[str],
    cells: Mapping[tuple[str, int], Cell],
    name: Callable[[str], Words],
    found: Collection[tuple[str, int]],
    width: float,
) -> svg.Element:
    """The rates of carriers (rows) by hours (columns). *found*: the cells that a finding is about get a frame."""
    root = svg.picture(
        width, 24 + _CELL * len(carriers), Words("Delivery rate by carrier and hour", "运营商与小时成功率")
    )
    step = (width - _LEFT - 4) / 24
    for hour in range(24):
        svg.text(root, "axis", f"{hour:02d}", _LEFT + (hour + 0.5) * step, 13, "middle")
    for row, carrier in enumerate(carriers):
        y = 20 + row * _CELL
        svg.text(root, "label", name(carrier), _LEFT - 10, y + 17, "end")
        for hour in range(24):
            place = Place(_LEFT + hour * step + 1, y + 1, step - 2, _CELL - 2)
            _cell(root, cells.get((carrier, hour)), f"{name(carrier)}  {hour:02d}:00–{hour + 1:02d}:00", place)
            if (carrier, hour) in found:
                svg.rect(root, "framed", place, rx=2)
    return root


def _cell(root: svg.Element, group: Cell | None, head: str, place: Place) -> None:
    rate = group.delivery_rate if group else None
    if group is None or rate is None or group.reports < FEWEST:
        svg.rect(root, "empty", place, title=f"{head}\nn = {group.reports if group else 0}")
        return
    shade = colour(rate)
    cell = svg.group(root, title_of(head, group))
    svg.rect(cell, f"heat-{shade}", place, rx=2)
    middle = place.middle
    svg.text(cell, _on("value", shade), str(floor(rate * 100 + 1e-9)), middle, place.y + 16, "middle")


def title_of(head: str, group: Cell | Trend) -> str:
    """What is shown where a pointer rests on the mark of a group of messages, in both languages."""
    before = rate_before(group)
    rate = f"成功率 delivery rate {percent(group.delivery_rate).en}"
    return "\n".join(
        [
            head,
            rate + (f"  (before 对比 {percent(before).en})" if before is not None else ""),
            f"成功 delivered {group.delivered:,}",
            f"失败 failed {group.failed + group.expired:,}",
            f"未知 unknown {group.unknown + group.pending:,}",
        ]
    )


def rate_before(group: Cell | Trend) -> float | None:
    """The rate of the period that this one is compared with."""
    return group.previous_rate if isinstance(group, Cell) else None


def _on(look: str, shade: int) -> str:
    """The look of a text on this colour."""
    return f"{look}-low" if shade == len(LIMITS) else look


def provinces(groups: Mapping[str, Cell], name: Callable[[str], Words], width: float) -> svg.Element:
    """The rate of each province on a tile where the province is in the country."""
    step_x, step_y = width / 8, 44
    root = svg.picture(width, step_y * 8, Words("Delivery rate by province", "各省成功率"))
    for province, (code, column, row) in _TILES.items():
        words = name(province)
        place = Place(column * step_x + 2, row * step_y + 2, step_x - 4, step_y - 4)
        _tile(root, groups.get(province), Words(code, words.zh), str(words), place)
    return root


def _tile(root: svg.Element, group: Cell | None, short: Words, name: str, place: Place) -> None:
    middle, rate = place.middle, group.delivery_rate if group else None
    if group is None or rate is None or group.reports < FEWEST:
        tile = svg.group(root, f"{name}\nn = {group.reports if group else 0}")
        svg.rect(tile, "empty", place, rx=5)
        svg.text(tile, "empty-name", short, middle, place.y + 24, "middle")
        return
    shade = colour(rate)
    tile = svg.group(root, title_of(name, group))
    svg.rect(tile, f"heat-{shade}", place, rx=5)
    svg.text(tile, _on("name", shade), short, middle, place.y + 17, "middle")
    shown = f"{floor(rate * 1000 + 1e-6) / 10:.1f}"
    svg.text(tile, _on("value", shade), shown, middle, place.y + 32, "middle")

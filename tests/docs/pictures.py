"""The pictures of `report` in docs/images, of invented figures: `python -m tests.docs.pictures`; needs Chromium."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from smsreceipt.model import Instant
from smsreceipt.output import html
from tests.output.browser import Browser, browser
from tests.output.sample_stats import stats

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MADE_AT = Instant(1_796_000_000_000)
LANGUAGES = {"en": False, "zh-CN": True}


class Picture(NamedTuple):
    """A part of the page."""

    name: str
    width: int
    height: int
    dark: bool = False
    scale: float = 1
    begin: str = "body"  #: a selector: the picture begins where the card of this element does


PICTURES = (
    Picture("report-{}", 1280, 1300, scale=0.75),
    Picture("report-{}-dark", 1280, 980, dark=True, scale=0.75, begin="[class^=heat-]"),
    Picture("report-{}-phone", 390, 1100),
)


def taken(tab: Browser, page: Path, picture: Picture) -> bytes:
    """A picture of a page as PNG."""
    tab.open(page, width=picture.width, dark=picture.dark)
    find = f"document.querySelector('{picture.begin}')"
    top = tab.run(f"({find}.closest('section, article, .card') || {find}).getBoundingClientRect().top + scrollY")
    return tab.screenshot(top=max(top - 8, 0), width=picture.width, height=picture.height, scale=picture.scale)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, browser() as tab:
        for language, chinese in LANGUAGES.items():
            page = Path(folder) / f"{language}.html"
            page.write_bytes(html.page(stats(), chinese=chinese, made_at=MADE_AT))
            for picture in PICTURES:
                path = IMAGES / f"{picture.name.format(language)}.png"
                path.write_bytes(taken(tab, page, picture))
                print(f"{path.name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

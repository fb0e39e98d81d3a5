"""The pages define each figure in the words of the program, which help and report print too."""

from __future__ import annotations

import pytest

from smsreceipt.insight.definitions import DEFINITIONS, SCOPE
from tests.docs import pages

_HEADS = (("Field", "Figure", "Is", "Note"), ("字段", "指标", "口径", "说明"))


def table(language: int) -> str:
    """The table of a page: 0 English, 1 Chinese."""
    rows = [_HEADS[language], ("---",) * 4]
    for each in DEFINITIONS:
        key = ", ".join(f"`{name}`" for name in each.key.split(", "))
        rows.append((key, each.name[language], each.formula[language], each.note[language]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("|  |", "| |")


@pytest.mark.parametrize(("language", "name"), [(0, "en"), (1, "zh-CN")])
def test_the_page_has_the_definitions(language: int, name: str) -> None:
    page = pages.path(name, "stats").read_text()
    assert SCOPE[language] in page
    assert table(language) in page

"""The page about watch."""

import re

import pytest

from smsreceipt.insight.alarms.rules import DEFAULTS, Rule, parse
from smsreceipt.notify.address import COMMANDS, HIDDEN
from tests.docs import pages


@pytest.mark.parametrize(("language", "head"), [("en", "| Rule |"), ("zh-CN", "| 规则 |")])
def test_the_page_lists_every_rule_with_its_default(language: str, head: str) -> None:
    rows = pages.rows(pages.read(language, "watch"), head)
    assert [row[0].strip("`") for row in rows] == [*Rule]
    for name, _, default, _ in rows:
        if default.startswith("`"):
            rule, value = parse(f"{name.strip('`')}={default.strip('`')}")
            assert rule is not None
            assert value == DEFAULTS[rule]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_page_lists_every_kind_of_robot(language: str) -> None:
    rows = pages.rows(pages.read(language, "watch"), "| `--notify` |")
    assert sorted(re.findall(r"`(\w+):", " ".join(row[0] for row in rows))) == sorted([*HIDDEN, *COMMANDS])

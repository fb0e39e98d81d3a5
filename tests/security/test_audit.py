"""`make audit` fails when it could audit nothing, or not everything."""

from __future__ import annotations

from typing import Any

import pytest

from tests.security.audit import dependencies, verdict


def sound(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "version": "1", "vulns": []} for name in names]


SKIPPED = {"name": "click", "skip_reason": "Dependency not found on PyPI"}
ILL = {"name": "click", "version": "1", "vulns": [{"id": "CVE-1"}]}


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (sound("click", "rich", "pip"), []),
        (sound("Click", "RICH"), []),
        ([], ["nothing was audited"]),
        ([SKIPPED], ["nothing was audited"]),
        ([SKIPPED, *sound("rich")], ["click was not audited"]),
        (sound("pip"), ["click was not audited", "rich was not audited"]),
        ([ILL, *sound("rich")], ["click 1: CVE-1"]),
    ],
)
def test_an_audit_is_sound_only_if_every_package_was_looked_up(found: list[dict[str, Any]], wrong: list[str]) -> None:
    assert verdict({"dependencies": found}, ["click", "rich"]) == wrong


def test_the_packages_that_must_be_audited_are_those_that_the_program_requires() -> None:
    names = dependencies()
    assert {"click", "rich", "requests", "apsw", "aliyun-mns-sdk"} <= set(names)
    assert "pytest" not in names

"""A store that is named by a URL: the commands take it, and its password is never shown."""

from __future__ import annotations

import json

import pytest

from smsreceipt.store.postgres.address import Address
from tests import postgres
from tests.cli.program import Program, report

pytestmark = pytest.mark.needs("postgres")
CANARY = "C4nary"


@pytest.mark.parametrize("by", ["option", "environment"])
def test_the_commands_take_a_url_and_never_show_its_password(
    program: Program, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.database() as url:
        address = Address.parse(url)
        scheme, _, rest = url.partition("://")
        user, _, place = rest.partition("@")
        secret = f"{scheme}://{user.partition(':')[0]}:{CANARY}@{place}"
        program.location = secret
        if by == "environment":
            monkeypatch.setenv("SMSRECEIPT_STORE", secret)
            program.location = ""
        program.stdin = json.dumps(report()).encode()
        shown = []
        for words in (["replay", "-"], ["list"], ["show", "13800008000"], ["status"], ["config", "show"]):
            ended = program("-vvv", "--debug", *words)
            assert ended.code == 0, ended.err
            shown.append(ended.out + ended.err)
            assert ("warning: other users can see the password" in ended.err) == (
                by == "option" and words != ["config", "show"]
            )
    assert address.shown in shown[3]
    assert address.shown in shown[4]
    assert CANARY not in "".join(shown)

"""A store that is named by a URL: the commands take it, and its password is never shown."""

from __future__ import annotations

import json
from contextlib import closing

import psycopg
import pytest

from smsreceipt.exits import Stopped
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


def ended_connections(url: str) -> str:
    """SQL that ends all connections to a database, executed in another one."""
    name = url.partition("?")[0].rpartition("/")[2]
    return f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608


def test_follow_goes_on_after_its_server_was_away(program: Program) -> None:
    """First the connection is lost between two reads, then the server lets nobody in for a while."""
    naps: list[float] = []
    with postgres.database() as url:
        program.location = url
        name = url.partition("?")[0].rpartition("/")[2]
        program.keep("SmsReport", report("13800008000"))
        others = ended_connections(url)

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) in (1, 2):
                program.keep("SmsReport", report(f"1380000800{len(naps)}"))
                postgres.execute(postgres.server(), others)
            if len(naps) == 3:
                program.keep("SmsReport", report("13800008003"))
                postgres.execute(postgres.server(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", others)
            if len(naps) == 5:
                postgres.execute(postgres.server(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            if len(naps) == 7:
                raise Stopped(15)

        ended = program("list", "--follow", sleep=sleep)
    assert [found["phone"] for found in ended.objects] == [f"1380000800{n}" for n in range(4)]
    assert (ended.code, naps) == (143, [0.5, 0.5, 0.5, 1.0, 2.0, 0.5, 0.5])
    assert ended.err.count("; waiting\n") == 1


def test_follow_keeps_one_connection(program: Program) -> None:
    naps: list[float] = []
    backends: set[object] = set()
    with postgres.database() as url:
        program.location = url
        program.keep("SmsReport", report())

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) > 1:
                with closing(psycopg.connect(url)) as db:
                    backends.update(
                        db.execute(
                            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                            " AND application_name = 'smsreceipt'"
                        ).fetchall()
                    )
            if len(naps) == 5:
                raise Stopped(15)

        program("list", "--follow", sleep=sleep)
    assert len(backends) == 1


def test_follow_ends_with_6_when_its_server_does_not_come_back(program: Program) -> None:
    naps: list[float] = []
    with postgres.database() as url:
        program.location = url
        program.keep("SmsReport", report())
        others = ended_connections(url)

        def sleep(seconds: float) -> None:
            naps.append(seconds)
            program.app.settings["store"] = program.app.settings["store"]._replace(value="postgresql://u@127.0.0.1:1/x")
            postgres.execute(postgres.server(), others)

        ended = program("list", "--follow", sleep=sleep)
    assert (ended.code, len(ended.objects)) == (6, 1)
    assert "cannot be reached" in ended.err
    assert sum(naps) > 300

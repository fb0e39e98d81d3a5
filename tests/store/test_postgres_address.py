"""URLs of databases: what is read, what is refused, and that nothing secret is shown in any failure."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import pytest

from smsreceipt.decode import reread
from smsreceipt.errors import SmsReceiptError, StoreUnavailable, UsageError
from smsreceipt.store import opening
from smsreceipt.store.postgres import address
from smsreceipt.store.postgres.address import Address
from tests import postgres

CANARY = "C4nary"


@pytest.mark.parametrize(
    ("url", "shown", "hosts"),
    [
        ("postgresql://u:C4nary@db.example.com:5433/x", "postgresql://u@db.example.com:5433/x", ["db.example.com"]),
        ("postgres://u@h/x?password=C4nary&sslmode=require", "postgresql://u@h/x?sslmode=require", ["h"]),
        ("postgresql:///x", "postgresql:///x", []),
        ("postgresql://", "postgresql://", []),
        ("postgresql://u:%C4%80C4nary%2F@[::1]:5432/x", "postgresql://u@[::1]:5432/x", ["::1"]),
        ("postgresql://a:1,b:2/x", "postgresql://a:1,b:2/x", ["a", "b"]),
        ("postgresql://u:C4nary@/x?host=/run/pg", "postgresql://u@/x?host=/run/pg", ["/run/pg"]),
        ("postgresql://u:C4nary:b@h", "postgresql://u@h", ["h"]),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str, hosts: list[str]) -> None:
    found = Address.parse(url)
    assert (found.shown, list(found.hosts), found.url) == (shown, hosts, url)
    assert found.has_password == (CANARY in url)
    assert opening.checked(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:C4nary PW@h/x", "postgresql://u:C4nary/PW@h/x", "postgresql://u:C4nary@PW@h/x",
        "postgresql://u:C4nary#PW@h/x", "postgresql://u:C4nary?PW@h/x", "postgresql://u:C4nary@h:54x/x",
        "postgresql://u:p@h/x?password=C4nary=&x", "postgresql://u:p@h/x?C4nary", "postgresql://h/x?password=C4nary PW",
        "postgresql://h/x?sslmode=C4nary", "postgresql://h/x?port=C4nary", "postgresql://h/x?C4nary=1",
        "postgresql://h/x?connect_timeout=C4nary", "postgresql://h/x?target_session_attrs=C4nary",
        "postgresql://u:C4nary\u4e2d@h/x", "postgresql:C4nary", "postgresql://[C4nary/x",
    ],
)  # fmt: skip
def test_a_url_that_can_be_read_in_two_ways_is_refused_and_nothing_of_it_is_quoted(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        opening.checked(url)
    assert CANARY not in str(caught.value) + caught.value.hint


REMOTE = "postgresql://u@db.example.com/x"


@pytest.mark.parametrize(
    ("url", "environ", "mode"),
    [
        (REMOTE, {}, "require"),
        (f"{REMOTE}?sslmode=verify-full", {}, None),
        (REMOTE, {"PGSSLMODE": "verify-ca"}, None),
        ("postgresql://u@localhost/x", {}, None),
        ("postgresql://u@127.0.0.9/x?sslmode=disable", {}, None),
        ("postgresql:///x?host=/run/pg", {"PGSSLMODE": "allow"}, None),
        ("postgresql:///x", {"PGHOST": "db.example.com"}, "require"),
        ("postgresql://localhost,db.example.com/x", {}, "require"),
        ("postgresql://localhost/x?hostaddr=10.0.0.1", {}, "require"),
    ],
)
def test_another_machine_is_reached_by_tls(url: str, environ: Mapping[str, str], mode: str | None) -> None:
    assert Address.parse(url).sslmode(environ, insecure=False) == mode


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_plain_text_to_another_machine_needs_an_option(mode: str) -> None:
    found = Address.parse(f"{REMOTE}?sslmode={mode}")
    with pytest.raises(UsageError, match="unencrypted") as caught:
        found.sslmode({}, insecure=False)
    assert "--insecure-db" in caught.value.hint
    assert found.sslmode({}, insecure=True) is None


def test_a_mode_in_the_environment_that_is_none_is_not_quoted() -> None:
    with pytest.raises(UsageError, match="no valid sslmode") as caught:
        Address.parse(REMOTE).sslmode({"PGSSLMODE": CANARY}, insecure=False)
    assert CANARY not in str(caught.value) + caught.value.hint


@pytest.mark.needs("postgres")
def test_every_parameter_of_the_driver_is_known_or_left_out_on_purpose() -> None:
    from psycopg.pq import Conninfo

    left_out = {
        "client_encoding",
        "replication",
        "oauth",
        "scram",
        "ssl",
        "servicefile",
        "min_protocol",
        "max_protocol",
    }
    unknown = {option.keyword.decode() for option in Conninfo.get_defaults()} - address._KNOWN
    assert {name for name in unknown if not name.startswith(tuple(left_out))} == set()


@pytest.mark.needs("postgres")
def test_no_failure_shows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPASSWORD", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    with postgres.database() as good:
        host = Address.parse(good).hosts[0]
        failing = [
            f"postgresql://u:{CANARY}@127.0.0.1:1/x",
            f"postgresql://u:{CANARY}@no-such-host.invalid/x?connect_timeout=2",
            f"postgresql://u:{CANARY}@localhost:1/x?sslmode=require",
            f"postgresql://u:{CANARY}@/x?host=/no/such/folder",
            f"postgresql://postgres:{CANARY}@/no_such_database?host={host}",
            f"postgresql://no_such_role:{CANARY}@/postgres?host={host}",
            f"postgresql://u:{CANARY}@127.0.0.1/x?sslmode=verify-full&sslrootcert=/no/such/file&port=1",
            f"postgresql://u:{CANARY}@h/x?connect_timeout=soon",
            f"postgresql://u:{CANARY}@h/x?no_such_parameter=1",
            f"postgresql://u:{CANARY}@h/x?sslmode=maybe",
            f"postgresql://u:{CANARY}@h/x?service=no_such_service",
            f"postgresql://u:{CANARY}@127.0.0.1:99999/x",
        ]
        for url in failing:
            with pytest.raises((StoreUnavailable, UsageError)) as caught:
                opening.open_store(url, readonly=True, reread=reread)
            error: SmsReceiptError = caught.value
            assert CANARY not in "".join(traceback.format_exception(error)) + error.hint, url

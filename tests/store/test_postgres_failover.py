"""Two servers in one URL: the one that can be written to is used, and the other after it takes over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from smsreceipt.errors import StoreUnavailable
from tests import postgres
from tests.cli.listening import until
from tests.store.statements import decoded, report

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres")]
if postgres.available():
    from tests.torture.postgres_faults import standby
    from tests.torture.postgres_server import ALL, Server, opened


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A server, and its standby."""
    with Server(max_wal_senders="4", wal_level="replica") as primary:
        opened(primary.url()).close()
        with standby(primary) as second:
            yield primary, second


def both(first: Server, second: Server, attributes: str = "read-write") -> str:
    hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
    return f"postgresql://postgres@{hosts}/postgres?target_session_attrs={attributes}"


def test_the_server_that_can_be_written_to_is_found_and_its_successor_too(pair: tuple[Server, Server]) -> None:
    primary, second = pair
    with closing(opened(both(second, primary))) as store:
        assert store.keep([decoded(report("1"))]).tally.new == 1
        caught_up(primary, second)
        primary.kill()
        with closing(psycopg.connect(second.url(), autocommit=True)) as db:
            db.execute("SELECT pg_promote(true, 30)")
        assert store.keep([decoded(report("1"), report("2"))]).tally.new == 1
        assert [(each.receipt.biz_id, each.times_seen) for each in store.list(ALL)] == [("1", 2), ("2", 1)]
    with closing(opened(both(primary, second), readonly=True)) as reader:
        assert len(list(reader.list(ALL))) == 2


def test_where_no_server_can_be_written_to_that_is_told(pair: tuple[Server, Server]) -> None:
    primary, second = pair
    primary.kill()
    with pytest.raises(StoreUnavailable, match=r"no server (there|listens)") as caught:
        opened(both(second, primary))
    assert caught.value.exit_code == 6
    with pytest.raises(StoreUnavailable, match="is a standby"):
        opened(both(second, primary, "any"), readonly=True)


def caught_up(primary: Server, second: Server) -> None:
    """Wait until the standby has all that the server has."""
    with closing(psycopg.connect(primary.url(), autocommit=True)) as db:
        (at,) = db.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)

    def reached() -> bool:
        with closing(psycopg.connect(second.url(), autocommit=True)) as db:
            return db.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (at,)).fetchone() == (True,)

    until(reached)

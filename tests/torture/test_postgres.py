"""A sample of each harness of the PostgreSQL store, and that it finds a planted bug."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgres

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres")]
if postgres.available():
    from tests.torture import (
        postgres_crowd,
        postgres_faults,
        postgres_fleet,
        postgres_kills,
        postgres_pooler,
        postgres_secrets,
    )
    from tests.torture.postgres_server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(max_wal_senders="4", wal_level="replica") as server:
        yield server


def test_a_server_that_is_killed_loses_and_doubles_nothing(server: Server) -> None:
    assert postgres_kills.server_killed(server, 2, bug=True).lost
    figures = postgres_kills.server_killed(server, 2)
    assert figures.good, figures


def test_connections_that_end_inside_commit_lose_and_double_nothing(server: Server) -> None:
    planted, _ = postgres_kills.ended_in_commit(server, 10, bug=True)
    assert planted.twice
    figures, _ = postgres_kills.ended_in_commit(server, 20)
    assert figures.good, figures
    assert figures.recognised


def test_writers_that_meet_agree_with_the_truth(server: Server) -> None:
    assert not postgres_crowd.hot(server, 0.5, bug="no decision").good
    figures = postgres_crowd.hot(server, 2)
    assert figures.good, figures


def test_followers_see_each_seq_once_where_a_naive_one_loses_rows(server: Server) -> None:
    figures, naive = postgres_crowd.followed(server, 2)
    assert naive
    assert figures.good, figures


def test_a_store_that_was_put_back_is_never_acked(server: Server) -> None:
    assert postgres_faults.row_lost(server, 2, bug=True).lost
    figures = postgres_faults.row_lost(server, 4)
    assert figures.good, figures


def test_each_refusal_has_its_error_and_its_line(server: Server) -> None:
    assert len(postgres_faults.refusals(server, bug=True)) == 4
    assert postgres_faults.refusals(server) == []


def test_no_password_is_shown(server: Server) -> None:
    planted = postgres_secrets.told(server, few=True, entry=("tests.torture.postgres_planted", "shown-url"))
    assert any(line.startswith("PASSWORD") for line in planted)
    assert postgres_secrets.told(server, few=True) == []


@pytest.mark.skipif("not postgres_pooler.PGBOUNCER", reason="pgbouncer is not installed")
def test_nothing_depends_on_a_session(server: Server) -> None:
    assert not postgres_pooler.run(server, 1, prepared=True).good
    figures = postgres_pooler.run(server, 1)
    assert figures.good, figures


def test_a_fleet_that_is_killed_loses_and_doubles_nothing(server: Server) -> None:
    figures = postgres_fleet.torture(server, 1_000, 3, seconds=3)
    assert figures.good, figures

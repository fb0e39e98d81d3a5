"""`python -m tests.citus URL`: make a store on a Citus cluster, distribute it, and run the suites of the store there.

The database must be empty, or hold the store of an earlier check: it is emptied.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import psycopg

from smsreceipt.decode import reread
from smsreceipt.errors import SmsReceiptError
from smsreceipt.store import opening
from tests import postgres
from tests.torture import postgres_crowd

SUITES = (
    *("tests/store/test_postgres.py", "tests/store/test_convergence.py", "tests/store/test_attribution.py"),
    *("tests/store/test_sends.py", "tests/store/test_notes.py", "tests/store/test_replays.py"),
)
_MARK = "made by citus-check"


class Refused(Exception):
    """The database may not be used for the check."""


def prepare(url: str) -> None:
    """Make the store anew, and distribute it. Raises Refused for a database that another one made a store in."""
    with closing(psycopg.connect(url, autocommit=True)) as db:
        if not db.execute("SELECT 1 FROM pg_proc WHERE proname = 'create_distributed_table'").fetchone():
            raise Refused("there is no Citus in that database: CREATE EXTENSION citus, there and on each worker")
        found = db.execute(
            "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'smsreceipt'"
        ).fetchone()
        if found and found[0] != _MARK:
            raise Refused("that database holds a store, which the check would empty: name an empty one")
        db.execute("DROP SCHEMA IF EXISTS smsreceipt CASCADE")
        opening.upgrade(url, reread=reread, insecure=True)
        db.execute(f"COMMENT ON SCHEMA smsreceipt IS '{_MARK}'")
        db.execute(opening.citus_sql())


class Cluster:
    """Gives the one store that the cluster holds, emptied."""

    def __init__(self, url: str) -> None:
        self._url = url

    def store(self) -> str:
        postgres.empty(self._url)
        return self._url


def check(url: str, seconds: float = 30, *words: str) -> bool:
    """Run everything; print the figures. *words* are of pytest."""
    prepare(url)
    environment = os.environ | {postgres.CLUSTER: url}
    run = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-k", "ostgres and not would_notice", *SUITES, *words]
    good = subprocess.run(run, env=environment, check=False).returncode == 0
    cluster = Cluster(url)
    hot = postgres_crowd.hot(cluster, seconds)
    print(f"hot identities: {'ok' if hot.good else 'FAILED'}: {hot}")
    followed, naive = postgres_crowd.followed(cluster, seconds)
    print(f"followers: {'ok' if followed.good else 'FAILED'}: {followed}; a naive one lost {naive}", flush=True)
    postgres.empty(url)
    return good and hot.good and followed.good


def main() -> int:
    """0: all is as promised, or there is nothing to check; 2: the database cannot be used."""
    url = sys.argv[1] if len(sys.argv) > 1 else ""
    if not url:
        print("citus-check: NOT CHECKED, because no cluster is named: make citus-check URL=postgresql://…")
        return 0
    try:
        return 0 if check(url) else 1
    except (Refused, SmsReceiptError, psycopg.OperationalError) as exc:
        print(f"citus-check: {exc if not isinstance(exc, psycopg.Error) else 'the database cannot be reached'}")
        return 2


if __name__ == "__main__":
    sys.exit(main())

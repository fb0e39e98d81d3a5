"""PgBouncer in transaction pooling between the program and its server: nothing may depend on a session."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

import psycopg

from smsreceipt.store import Query
from tests.ports import free_port
from tests.torture.postgres_server import Figures, Server, Writers, fresh_batches, judged, opened, show

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def pooled(server: Server, url: str) -> Iterator[str]:
    """The URL of a database through a pooler with three connections to the server."""
    assert PGBOUNCER is not None
    port = free_port()
    ini, users = server.folder / f"{port}.ini", server.folder / f"{port}.txt"
    users.write_text('"postgres" ""\n')
    ini.write_text(
        f"[databases]\n* = host={server.folder} port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n"
    )
    with (server.folder / "pooler.log").open("ab") as log:
        process = subprocess.Popen([PGBOUNCER, str(ini)], stdout=log, stderr=log, user=server._engine.system_user)
    name = url.partition("?")[0].rpartition("/")[2]
    there = f"postgresql://postgres@127.0.0.1:{port}/{name}"
    try:
        for _ in range(500):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(there).close()
                break
            time.sleep(0.01)
        yield there
    finally:
        process.terminate()
        process.wait(10)


def run(server: Server, seconds: float, *, prepared: bool = False) -> Figures:
    """Six writers and a reader for so long; planted: statements are *prepared* in the session."""
    connect: Any = psycopg.connect

    def preparing(*args: Any, **more: Any) -> Any:
        return connect(*args, **{**more, **({"prepare_threshold": 0} if prepared else {})})

    url = server.store()
    with (
        pooled(server, url) as there,
        patch.object(psycopg, "connect", preparing),
        Writers(there, 6, fresh_batches()) as writers,
    ):
        began, shown, faults = time.monotonic(), list[int](), list[str]()
        try:
            with closing(opened(there, readonly=True)) as reader:
                while time.monotonic() - began < seconds and not writers.ended:
                    last = shown[-1] if shown else 0
                    shown += [each.seq or 0 for each in reader.list(Query(history=True, after=last))]
                writers.stop()
                last = shown[-1] if shown else 0
                shown += [each.seq or 0 for each in reader.list(Query(history=True, after=last))]
        except Exception as exc:  # noqa: BLE001 - shown by the harness
            faults.append(f"reader: {exc}")
    figures = judged(url, writers)
    figures.faults += faults
    if not faults and (len(shown) != figures.statements or shown != sorted(set(shown))):
        figures.faults.append(f"the reader was shown {len(shown)} of {figures.statements}")
    return figures


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    if PGBOUNCER is None:
        print("pooler: NOT CHECKED: pgbouncer is not installed", flush=True)
        return True
    with Server() as server:
        planted, figures = run(server, 2, prepared=True), run(server, 30 if full else 5)
        return show("pooler", [("prepared", not planted.good, planted)], figures, figures.good)

"""A password in every URL and variable that a user may get wrong: no output of the program ever holds it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.store.statements import frame, report
from tests.torture.postgres_server import Server, show
from tests.torture.world import ROOT

CANARY = "CANARYpw"


def _urls(server: Server, silent: int) -> list[tuple[str, int]]:
    """URLs that fail, each with the exit code that it must give."""
    there = f"127.0.0.1:{server.port}"
    return [
        (f"postgresql://u:{CANARY} x@127.0.0.1:5x/t", 2),
        (f"postgresql://u:{CANARY}@x@127.0.0.1/t", 2),
        (f"postgresql://u:{CANARY}%zz@127.0.0.1/t", 2),
        (f"postgresql://u:{CANARY}%00@127.0.0.1/t", 2),
        (f"postgresql://u:{CANARY}/@127.0.0.1/t", 2),
        (f"postgresql:u:{CANARY}@127.0.0.1/t", 2),
        (f"PostgreSQL://u:{CANARY}@127.0.0.1:1/t", 2),
        (f"postgresql+psycopg://u:{CANARY}@127.0.0.1/t", 2),
        (f"mysql://u:{CANARY}@127.0.0.1/t", 2),
        (f"postgresql://127.0.0.1/t?password={CANARY}&nosuch=1", 2),
        (f"postgresql://127.0.0.1/t?passwort={CANARY}", 2),
        (f"postgresql://u:{CANARY}@127.0.0.1:99999/t", 6),
        (f"postgresql://u:{CANARY}@db.example.invalid/t?connect_timeout=2", 6),
        (f"postgresql://u:{CANARY}@db.example.invalid/t?sslmode=disable", 2),
        (f"postgresql://u:{CANARY}@127.0.0.1:1/t", 6),
        (f"postgresql://u:{CANARY}@127.0.0.1:{silent}/t?connect_timeout=2", 6),
        (f"postgresql://guarded:{CANARY}@{there}/t1", 6),
        (f"postgresql://guarded:{CANARY}@{there}/nosuch", 6),
        (f"postgresql://guarded@{there}/t1?password={CANARY}", 6),
        (f"postgresql://guarded:{CANARY}@{there}/t1?sslmode=require", 6),
        (f"postgresql://guarded:{CANARY}@{there}/t1?sslmode=verify-full&sslrootcert=/nosuch", 6),
        (f"postgresql://guarded:{CANARY}@{there}/t1?options=-c%20nosuch%3D1", 6),
        (f"postgresql://limited:{CANARY}1@{there}/t1", 6),
        (f"postgresql://limited:{CANARY}1@{there}/t1?options=-c%20default_transaction_read_only%3Don", 6),
    ]


def told(server: Server, *, few: bool = False, entry: Sequence[str] = ("smsreceipt",)) -> list[str]:
    """What is wrong with what the program prints: the password in it, another exit code, a traceback."""
    url = server.store()
    name = url.partition("?")[0].rpartition("/")[2]
    server.execute(
        "DROP ROLE IF EXISTS guarded, limited",
        "CREATE ROLE guarded LOGIN PASSWORD 'another'",
        f"CREATE ROLE limited LOGIN PASSWORD '{CANARY}1'",
    )
    hba = server.folder / "data" / "pg_hba.conf"
    hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\nlocal replication all trust\n")
    server.execute("SELECT pg_reload_conf()")
    with tempfile.TemporaryDirectory() as home, socket.create_server(("127.0.0.1", 0)) as silent:
        file = Path(home) / "receipts.jsonl"
        file.write_bytes(frame({"type": "SmsReport", "message": report("s-1")[1]}) + b"\n")
        cases = [(text.replace("/t1", f"/{name}"), code) for text, code in _urls(server, silent.getsockname()[1])]

        def run(text: str, code: int, how: str, words: Sequence[str]) -> str:
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("SMSRECEIPT", "PG"))}
            env = {**kept, "HOME": home, "XDG_CONFIG_HOME": home}
            store = ["--store", text] if how == "option" else []
            if how == "variable":
                env["SMSRECEIPT_STORE"] = text
            ended = subprocess.run(
                [sys.executable, "-m", *entry, *words, *store, "-vvv"],
                cwd=ROOT, env=env, capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            out = (ended.stdout + ended.stderr).decode(errors="replace")
            shown = f"{how} {words[0]} {text}: exit {ended.returncode}: {out.strip()[-300:]}"
            if CANARY in out:
                return f"PASSWORD: {shown}"
            if "Traceback" in out or "internal" in out or ended.returncode != code or "error: " not in out:
                return f"wanted {code}: {shown}"
            return ""

        jobs = [
            (text, code, how, words)
            for text, code in (cases[::6] if few else cases)
            for how, words in (
                ("variable", ["replay", str(file)]),
                ("option", ["list"]),
            )
        ]
        with ThreadPoolExecutor(3) as pool:
            return [line for line in pool.map(lambda job: run(*job), jobs) if line]


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    with Server() as server:
        planted = told(server, few=True, entry=("tests.torture.postgres_planted", "shown-url"))
        found = told(server, few=not full)
        caught = any(line.startswith("PASSWORD") for line in planted)
        return show(
            "password", [("shown-url", caught, f"{len(planted)} found")], "\n".join(found) or "never shown", not found
        )

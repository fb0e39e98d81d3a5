"""How fast a day's missing receipts are fetched: ours, the whole command, against the SDK's loop, one call each.

    python -m tests.bench.reconcile [--sends 47000] [--latency 20] [--rounds 1] [--receipts 10000000]

Both talk to a sandbox in a process of its own, one after the other, in each round. Ours begins when its process starts
and ends when it has ended: it reads the ledger, plans, asks, stores every answer with an fsync, and prints the summary.
The SDK gets the list of what is missing for nothing, and stores nothing. Neither asks for the totals of the day.
The day is made up: see tests/bench/day.py.
Then how long it takes to find what is missing of one day in a store of so many receipts, as tests/bench/ledger.py does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from smsreceipt.decode import decode
from smsreceipt.ingest import take
from smsreceipt.model import BEIJING, Delivery, Instant, Kind, Send, Source, beijing_day
from smsreceipt.store.sqlite.store import open_store
from tests.bench.day import Day, Truth, make_day
from tests.bench.ledger import joins

HERE = Path(__file__).parent
_KEYS = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret"}


@dataclass(frozen=True)
class Run:
    """What one of them took."""

    seconds: float
    cpu: float  # seconds of the client's CPU
    talk: str


def at(seconds: float) -> Instant:
    """Seconds as the store has them."""
    return Instant(round(seconds * 1000))


def send_of(truth: Truth) -> Send:
    """Its row in the ledger."""
    noted, sent = at(truth.noted), truth.send
    return Send(
        sent.phone, sent.biz_id, beijing_day(noted), noted, sent.out_id, sent.template_code, sent.sign_name, None
    )


def fill(path: Path, day: Day) -> None:
    """A store with the day's ledger and the receipts that came."""
    bodies = tuple(json.dumps(body).encode() for body in day.receipts())
    with closing(open_store(path)) as store:
        store.add_sends([*map(send_of, day.sends)])
        for first in range(0, len(bodies), 4_000):
            frames = bodies[first : first + 4_000]
            take([decode(Delivery(frames, Kind("SmsReport"), Source.MNS, "queue", at(time.time())))], store)


def run(words: Sequence[str], env: dict[str, str]) -> Run:
    """Run a process to its end."""
    began = time.perf_counter()
    child = subprocess.Popen(
        words, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout
    talk = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        assert child.stderr
        raise SystemExit(f"{words}: ended with {child.returncode}\n{talk}{child.stderr.read()}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, talk.strip())


def measure(day: Day, latency: float, workers: int) -> tuple[Run, Run]:
    """The SDK's loop, then ours, on a fresh store."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        past, todo, store = (Path(folder, name) for name in ("past.ndjson", "todo.json", "bench.db"))
        past.write_text(day.load())
        missing = [truth for truth in day.sends if truth.missing]
        todo.write_text(json.dumps([_question(truth) for truth in missing]))
        fill(store, day)
        words = [
            sys.executable,
            "-m",
            "smsreceipt",
            "sandbox",
            "--port",
            "0",
            "--latency",
            str(latency),
            "--load",
            past,
        ]
        provider = subprocess.Popen([*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert provider.stdout
        names = {}
        for line in iter(provider.stdout.readline, ""):
            if line.startswith("# ready"):
                break
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                names[name] = value.strip("'\"")
        url = names["SMSRECEIPT_DYSMSAPI_ENDPOINT"]
        env = {**_KEYS, "SMSRECEIPT_DYSMSAPI_ENDPOINT": url, "SMSRECEIPT_STORE": str(store)}
        try:
            sdk = run([sys.executable, str(HERE / "peers" / "sms_sdk.py"), url, str(todo)], env)
            days = sorted({beijing_day(at(truth.noted)) for truth in missing})
            begin, end = (f"{datetime.fromtimestamp(day * 86_400, BEIJING):%Y-%m-%d}" for day in (days[0], days[-1]))
            words = [
                "reconcile",
                "--from",
                begin,
                "--to",
                end,
                "--qps",
                "5000",
                "--workers",
                str(workers),
                "--json",
                "--no-totals",
            ]
            ours = run([sys.executable, "-m", "smsreceipt", *map(str, words)], env)
        finally:
            provider.terminate()
            provider.communicate()
    return sdk, ours


def _question(truth: Truth) -> tuple[str, str, str]:
    return truth.send.phone, f"{datetime.fromtimestamp(truth.noted, BEIJING):%Y%m%d}", truth.send.biz_id


def main() -> None:
    """2,000 missing of a day, at 20 ms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=47_000)
    parser.add_argument("--latency", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--receipts", type=int, default=10_000_000, help="0: no anti-join")
    asked = parser.parse_args()
    date = (datetime.now(BEIJING) - timedelta(days=3)).date()
    day = make_day(11, date, asked.sends, asked.sends * 6 // 10)
    missing = sum(truth.missing for truth in day.sends)
    runs = [measure(day, asked.latency, asked.workers) for _ in range(asked.rounds)]
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; {asked.sends:,} sends, {missing:,} without a final"
          f" receipt; {asked.latency:g} ms per call, median of {asked.rounds}")  # fmt: skip
    for name, side in ((f"SDK, one call for each: {missing:,} calls", 0), ("", 1)):
        found = [pair[side] for pair in runs]
        summary = json.loads(found[-1].talk)
        said = name or f"smsreceipt reconcile --workers {asked.workers}: {summary['api_calls']:,} calls"
        seconds = statistics.median(each.seconds for each in found)
        cpu = statistics.median(each.cpu for each in found)
        print(f"{said:52} {seconds:8.2f} s {missing / seconds:9,.0f} sends/s {cpu:7.2f} s CPU")
    ratios = sorted(sdk.seconds / ours.seconds for sdk, ours in runs)
    print(f"against the SDK's loop: {statistics.median(ratios):.1f} × as fast")
    _check(day, json.loads(runs[-1][1].talk))
    if asked.receipts:
        joins(asked.receipts, scattered=False)


def _check(day: Day, summary: dict[str, int]) -> None:
    """What is fast must be right as well."""
    wrong = {label: summary[label] for label, count in day.labels().items() if summary[label] != count}
    print(f"{summary['missing']:,} missing, {summary['compensated_delivered'] + summary['compensated_failed']:,} found;"
          f" against the truth of the day: {wrong or 'right'}")  # fmt: skip


if __name__ == "__main__":
    main()

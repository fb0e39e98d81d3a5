"""kill -9 in the middle of `prune` and `forget`, again and again, while `pull` and `listen` run on the same store.

Nothing may be half gone at any time, the archive and the store together hold everything once, the archive replays to
the same list, no byte of a forgotten number is left, what comes meanwhile is stored, and pushes are answered in time.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import apsw

from smsreceipt.decode import decode, reread
from smsreceipt.model import BEIJING, Delivery, Instant, Kind, Source, beijing_day, start_of_day
from smsreceipt.store import Query, Store, opening
from tests import postgres
from tests.torture.removal_beside import Beside
from tests.torture.world import ROOT, kill, until

PHONE = "13912345678"  #: the number that is forgotten
OTHER = "13800008000"
SLOW = 150.0  #: milliseconds within which 99 of 100 pushes must be answered
_AGE, _LIMIT = 4_000, "3650d"  # days: of what goes; and the age that goes
_FRUITLESS = 5  # rounds in a row that came to their end before a kill, after which no more are tried
_VOICES = 20  # calls of the number whose recordings were fetched, in each round


@dataclass
class Figures:
    """What became of the stores of all rounds."""

    kills: int = 0
    half: int = 0  #: identities of which only a part was there after a kill
    lost: int = 0  #: old ones that are neither in the store nor in the archive, or not the same after its replay
    left: int = 0  #: old ones that are still in the store at the end
    harmed: int = 0  #: new ones, or those of others, that are gone
    residue: int = 0  #: places where the forgotten number is left
    pushed: int = 0  #: pushes that were answered 200
    refused: int = 0  #: pushes that were answered otherwise
    p99: float = 0.0  #: of the pushes, in milliseconds; of the worst round
    before: float = 0.0  #: bytes that the store took for each statement before, in the last round
    after: float = 0.0  #: and after
    faults: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not (self.half or self.lost or self.left or self.harmed or self.residue or self.faults)

    @property
    def good(self) -> bool:
        return self.whole and self.p99 < SLOW and 0 < self.after < 2 * self.before

    def __iadd__(self, other: Figures) -> Self:
        for name in ("kills", "half", "lost", "left", "harmed", "residue", "pushed", "refused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.p99, self.before, self.after = max(self.p99, other.p99), other.before, other.after
        self.faults += other.faults
        return self

    def __str__(self) -> str:
        names = ("kills", "half", "lost", "left", "harmed", "residue", "pushed", "refused")
        told = " ".join(f"{name}={getattr(self, name)}" for name in names)
        said = "; ".join(sorted(set(self.faults))[:5]) or "none"
        return f"{told} p99={self.p99:.0f}ms bytes_each={self.before:.0f}->{self.after:.0f} faults={said}"


def said(biz_id: str, days: int, phone: str = OTHER, **more: Any) -> bytes:
    """An SmsReport of so many days ago."""
    at = (datetime.now(BEIJING) - timedelta(days=days)).strftime("%Y-%m-%d 10:00:00")
    fields = {"phone_number": phone, "send_time": at, "report_time": at, "success": True, "err_code": "DELIVERED",
              "biz_id": biz_id, "out_id": "order-1", "sms_size": "1", **more}  # fmt: skip
    return json.dumps(fields, separators=(",", ":")).encode()


def pairs(count: int, days: int, phone: str = OTHER) -> list[bytes]:
    """Two statements about each of so many messages."""
    failed = {"success": False, "err_code": "MOBILE_IN_BLACK"}
    return [said(f"pair-{phone}-{n}^{days}", days, phone, **more) for n in range(count) for more in ({}, failed)]


class Home:
    """A store that one process deletes from, while others write to it."""

    def __init__(self, folder: Path, location: str | None, bug: str) -> None:
        self.folder = folder
        self.location = location or str(folder / "receipts.db")
        self.figures = Figures()
        self._bug = bug
        self._day = beijing_day(Instant(time.time_ns() // 1_000_000)) - _AGE
        self.beside: Beside | None = None

    def opened(self, location: str = "", *, readonly: bool = False) -> Store:
        return opening.open_store(location or self.location, readonly=readonly, reread=reread, lock_wait=30)

    def fill(self, receipts: list[bytes]) -> None:
        with closing(self.opened()) as store:
            store.removals().reclaim(rewrite=True)  # so that SQLite gives space back in small steps from now on
            for first in range(0, len(receipts), 2_000):
                store.keep([_decoded(receipts[first : first + 2_000])])
            self.figures.before = store.removals().reclaim(rewrite=False).size / store.facts().statements

    def run(self, dice: random.Random, kills: int, *words: str) -> None:
        """Run the command again and again, killed so often, until it comes to its end."""
        environment = self.beside.environment if self.beside else Beside(self.folder, self.location).environment
        while True:
            process = self._start(words, environment)
            if self.figures.kills >= kills:
                process.wait(600)
                break
            if dice.random() < 0.3:
                time.sleep(dice.uniform(0.1, 1.5))
            else:  # while it deletes
                before = self._old()
                until(lambda: self._old() < before or process.poll() is not None, 60, 0.02)  # noqa: B023
                time.sleep(dice.uniform(0, 0.1))
            if process.poll() is not None:
                break
            kill(process)
            self.figures.kills += 1
            self.figures.half += self._half()
        self._judge_end(process, {0} if words[0] == "prune" else {0, 3})

    def once_more(self, *words: str) -> None:
        """Run it with nobody beside: the end is the same."""
        process = self._start(words, Beside(self.folder, self.location).environment)
        process.wait(600)
        self._judge_end(process, {0})
        self.figures.half += self._half()

    def _judge_end(self, process: subprocess.Popen[bytes], wanted: set[int]) -> None:
        if process.returncode not in wanted:
            told = (self.folder / "deleting.err").read_text()[-300:]
            self.figures.faults.append(f"it ended with {process.returncode}: {told}")

    def _start(self, words: tuple[str, ...], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        program = ["-m", "tests.torture.planted", self._bug] if self._bug else ["-m", "smsreceipt"]
        with (self.folder / "deleting.err").open("ab") as err:
            return subprocess.Popen(
                [sys.executable, *program, *words, "--yes"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                stderr=err, start_new_session=True,
            )  # fmt: skip

    def _number(self, query: str, *values: object) -> int:
        """The number that a query finds, in which STORE. stands before the name of a table."""
        if not postgres_url(self.location):
            with closing(apsw.Connection(self.location, flags=apsw.SQLITE_OPEN_READONLY)) as db:
                db.set_busy_timeout(5_000)
                return int(db.execute(query.replace("STORE.", ""), values).get)
        import psycopg

        with closing(psycopg.connect(self.location, autocommit=True)) as session:
            text = query.replace("STORE.", "smsreceipt.").replace("?", "%s").encode()
            ((found,),) = session.execute(text, values).fetchall()
            return int(found)

    def _old(self) -> int:
        """How many statements there are of those that go."""
        return self._number("SELECT count(*) FROM STORE.statement WHERE day = ?", self._day)

    def _half(self) -> int:
        return self._number(
            "SELECT count(*) FROM"
            " (SELECT biz_id FROM STORE.statement WHERE day = ? GROUP BY biz_id HAVING count(*) <> 2) AS half",
            self._day,
        )

    def listed(self, location: str = "", **query: Any) -> Counter[tuple[Any, ...]]:
        """What a list shows of each statement, but for what depends on when and how it came."""
        with closing(self.opened(location, readonly=True)) as store:
            found = store.list(Query(history=True, bodies=True, **query))
            return Counter((r.kind, r.identity, r.outcome, r.code, r.sent_at, r.reported_at, r.body)
                           for r in (each.receipt for each in found))  # fmt: skip

    def of_old(self) -> Counter[tuple[Any, ...]]:
        """The same of those that go."""
        return self.listed(since=start_of_day(self._day), until=start_of_day(self._day + 1))

    def biz_ids(self) -> set[str]:
        with closing(self.opened(readonly=True)) as store:
            return {each.receipt.biz_id for each in store.list(Query(history=True))}

    def judge(self, stay: set[str]) -> None:
        """What stays and what came meanwhile is there, once; the store is sound, and smaller than before."""
        if self.beside is not None:
            answers = {int(status): count for status, count in self.beside.statuses.items()}
            self.figures.pushed = answers.pop(200, 0)
            self.figures.refused = sum(answers.values())
            self.figures.p99 = self.beside.p99
            self.figures.faults += self.beside.faults
            stay = stay | set(self.beside.given)
        self.figures.harmed = len(stay - self.biz_ids())
        with closing(self.opened()) as store:
            self.figures.after = store.removals().reclaim(rewrite=False).size / max(store.facts().statements, 1)
        words = [sys.executable, "-m", "smsreceipt", "check", "--store", self.location]
        checked = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if checked.returncode:
            self.figures.faults.append(f"check ended with {checked.returncode}: {checked.stdout.partition(chr(10))[0]}")

    def residue(self) -> int:
        """In how many files or tables the forgotten number is left."""
        apart = {"deleting.err", "receipts.forget-key"}
        files = [file for file in self.folder.rglob("*") if file.is_file() and file.name not in apart]
        found = sum(PHONE.encode() in file.read_bytes() for file in files)
        if postgres_url(self.location):
            forms = (f"%{PHONE}%", f"%{PHONE.encode().hex()}%")
            for table in ("statement", "body", "reject", "send", "tie", "note", "road"):
                like = f"SELECT count(*) FROM STORE.{table} AS t WHERE t::text LIKE ? OR t::text LIKE ?"  # noqa: S608
                found += self._number(like, *forms)
        return found


def postgres_url(location: str) -> bool:
    return location.startswith("postgresql:")


def _decoded(bodies: list[bytes], kind: str = "SmsReport") -> Any:
    at = Instant(time.time_ns() // 1_000_000)
    return decode(Delivery(tuple(bodies), Kind(kind), Source.MNS, "a-queue", at))


@contextmanager
def _home(engine: str, bug: str, *, alone: bool, receipts: list[bytes]) -> Iterator[Home]:
    database = postgres.database() if engine == "postgres" else nullcontext()
    with database as location, tempfile.TemporaryDirectory() as name:
        home = Home(Path(name), location, bug)
        home.fill(receipts)
        if not alone:
            home.beside = Beside(home.folder, home.location)
        yield home


def prune(kills: int, messages: int, **more: Any) -> Figures:
    """Prune so many messages with an archive, killed so often: in as many rounds as are needed."""
    return _rounds(_pruned, kills, messages, **more)


def forget(kills: int, messages: int, **more: Any) -> Figures:
    """Forget a number with an eighth of so many messages among as many of others, killed so often: the same."""
    return _rounds(_forgotten, kills, messages, **more)


def _rounds(
    one: Any, kills: int, messages: int, *, engine: str = "sqlite", seed: int = 1, bug: str = "", alone: bool = False
) -> Figures:
    dice, total, without = random.Random(seed), Figures(), 0
    while total.kills < kills and without < _FRUITLESS:
        found = one(dice, kills - total.kills, messages, engine, bug, alone)
        total += found
        if bug:
            break
        without = 0 if found.kills else without + 1
    return total


def _pruned(dice: random.Random, kills: int, messages: int, engine: str, bug: str, alone: bool) -> Figures:
    with _home(engine, bug, alone=alone, receipts=[*pairs(messages, _AGE), *pairs(50, 1)]) as home:
        old, stay = home.of_old(), {json.loads(body)["biz_id"] for body in pairs(50, 1)}
        path = home.folder / "old.ndjson.gz"
        words = ("prune", "--older-than", _LIMIT, "--archive", str(path))
        with home.beside or nullcontext():
            home.run(dice, kills, *words)
        home.once_more("prune", "--older-than", _LIMIT, "--compact")
        home.figures.left = home.of_old().total()
        home.judge(stay)
        with postgres.database() if engine == "postgres" else nullcontext(str(home.folder / "again.db")) as again:
            words_ = [sys.executable, "-m", "smsreceipt", "replay", str(path), "--store", again]
            subprocess.run(words_, cwd=ROOT, capture_output=True, check=False)
            back = home.listed(again)
        home.figures.lost = ((old - back) + (back - old)).total()
        return home.figures


def _forgotten(dice: random.Random, kills: int, messages: int, engine: str, bug: str, alone: bool) -> Figures:
    mixed = [*pairs(messages // 8, _AGE, PHONE), *pairs(messages // 8, _AGE)]
    dice.shuffle(mixed)
    with _home(engine, bug, alone=alone, receipts=mixed) as home:
        voices = _plant_recordings(home)
        _plant_noted(home)
        with home.beside or nullcontext():
            home.run(dice, kills, "forget", PHONE)
        home.once_more("forget", PHONE, "--compact")
        home.figures.left = sum(PHONE in biz_id for biz_id in home.biz_ids())
        home.figures.left += sum(voice.exists() for voice in voices)
        home.judge({json.loads(body)["biz_id"] for body in mixed if PHONE.encode() not in body})
        home.figures.residue = home.residue()
        return home.figures


def _plant_recordings(home: Home) -> list[Path]:
    """Calls of the number with fetched recordings; each recording is noted."""
    at = datetime.now(BEIJING).strftime("%Y-%m-%d 10:00:00")
    calls = [{"pool_key": "POOL", "call_id": f"C{n}", "phone_no": PHONE, "secret_no": "17000000001", "call_time": at,
              "peer_no": "13700002222", "release_time": at, "release_dir": 1, "release_cause": 16, "call_type": 0,
              "sub_id": 1} for n in range(_VOICES)]  # fmt: skip
    files = [home.folder / f"POOL-C{n}.mp3" for n in range(_VOICES)]
    for file in files:
        file.write_bytes(b"a voice")
    with closing(home.opened()) as store:
        store.keep([_decoded([json.dumps(call).encode() for call in calls], "SecretReport")])
        notes = {file.stem: json.dumps({"state": "fetched", "at": 1, "file": str(file)}) for file in files}
        store.write_notes(f"recordings {at[:10]}", notes)
    return files


def _plant_noted(home: Home) -> None:
    """Sends that a program had noted, and not stored, when it was killed."""
    noting = (
        "import os, smsreceipt; smsreceipt.Ledger(os.environ['SMSRECEIPT_STORE']).note("
        f"{{'Code': 'OK', 'BizId': 'noted^0'}}, phone_numbers='{PHONE},{OTHER}'); os.kill(os.getpid(), 9)"
    )
    environment = Beside(home.folder, home.location).environment
    subprocess.run([sys.executable, "-c", noting], cwd=ROOT, env=environment, check=False)
    if not any(PHONE.encode() in file.read_bytes() for file in home.folder.rglob("*.ndjson")):
        home.figures.faults.append("nothing was noted")


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for engine in ("sqlite", "postgres") if postgres.available() else ("sqlite",):
        planted = prune(12, 4_000, engine=engine, bug="half-removal", alone=True)
        good &= _caught(engine, "half-removal", not planted.whole, planted)
        if engine == "sqlite":  # on a server, a long transaction keeps nobody waiting
            slow = prune(1, 30_000, engine=engine, bug="one-removal")
            good &= _caught(engine, "one-removal", slow.p99 >= SLOW, slow)
        kills, messages = (100, 30_000) if full else (10, 4_000)
        for name, torture in (("prune", prune), ("forget", forget)):
            began, figures = time.monotonic(), torture(kills, messages, engine=engine)
            good &= figures.good and figures.kills == kills
            print(f"{name}, {engine}: {figures} seconds={time.monotonic() - began:.0f}", flush=True)
    return good


def _caught(engine: str, bug: str, found: bool, figures: Figures) -> bool:
    print(f"removal, {engine}, planted {bug}: {'caught' if found else 'NOT CAUGHT'}: {figures}", flush=True)
    return found

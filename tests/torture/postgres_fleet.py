"""Two listeners and two pullers on one PostgreSQL store, all killed at random; a follower reads beside them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from smsreceipt.sandbox.queues.queue import Message, Queue
from tests.ports import free_port
from tests.torture.listener import PATH_SECRET
from tests.torture.postgres_server import Figures, Server, show
from tests.torture.world import World, kill, message, serial_of, until

_BODY = re.compile(rb"<MessageBody>(.*)</MessageBody>", re.DOTALL)
_KIND = "SmsReport"


@dataclass
class Given:
    """What the provider delivered."""

    times: Counter[str] = field(default_factory=Counter)  #: serial --> deliveries
    unsure: Counter[str] = field(default_factory=Counter)  #: serial --> further attempts that may be stored too


class Fleet:
    """The five processes, and the load."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.given, self._url = world, Given(), url
        self.ports = [free_port(), free_port()]
        secret = world.folder / "push.secret"
        secret.touch(0o600)
        secret.write_text(PATH_SECRET + "\n")
        world.store = url  # type: ignore[assignment]  # the environment takes either
        pull = world.pull_words("-f", kinds=(_KIND,))
        self.words = [
            *(
                world.words("listen", "--secret-file", str(secret), "--bind", f"127.0.0.1:{port}",
                            "--metrics-bind", "off")
                for port in self.ports
            ),
            pull, pull,
        ]  # fmt: skip
        self.processes = [world.start(words) for words in self.words]
        self.shown = world.folder / "shown"
        with self.shown.open("wb") as out:
            self.follower = subprocess.Popen(
                world.words("list", "--follow", "--after", "0", "--json"),
                env=world.environment, stdout=out, stderr=subprocess.PIPE,
            )  # fmt: skip

    def kill_one(self, dice: random.Random) -> None:
        """kill -9 of one of the four, and start it again.

        Half of the time it is killed while it waits for a lock: what it has in hand then is there to be lost.
        """
        n = dice.randrange(4)
        if dice.random() < 0.5:
            with closing(psycopg.connect(self._url)) as db:
                db.execute("LOCK TABLE smsreceipt.statement IN EXCLUSIVE MODE")
                time.sleep(0.3)
                self._restart(n)
        else:
            self._restart(n)

    def _restart(self, n: int) -> None:
        if self.processes[n].poll() is not None:
            self.world.faults.append(f"{self.words[n][3]} ended by itself with {self.processes[n].returncode}")
        kill(self.processes[n])
        self.processes[n] = self.world.start(self.words[n])

    def push(self, serials: list[str], dice: random.Random) -> None:
        """Push until one of the listeners answers 200."""
        body = json.dumps([message(_KIND, serial) for serial in serials], ensure_ascii=False).encode()
        while True:
            line = http.client.HTTPConnection("127.0.0.1", dice.choice(self.ports), timeout=10)
            with closing(line):
                try:
                    line.connect()
                except OSError:
                    time.sleep(0.02)
                    continue
                try:
                    line.request("POST", f"/{PATH_SECRET}/{_KIND}", body, {"Content-Type": "application/json"})
                    if line.getresponse().status == 200:
                        return
                except (OSError, http.client.HTTPException):
                    pass
                self.given.unsure.update(serials)

    def noting(self, hide: Callable[[Queue, Message, int], None]) -> Callable[[Queue, Message, int], None]:
        """A message that the queue gives out once more may have been stored before."""

        def noted(queue: Queue, taken: Message, until_: int) -> None:
            if taken.dequeued > 1 and (found := _BODY.search(taken.body_xml)):
                self.given.unsure[serial_of(base64.b64decode(found[1]))] += 1
            hide(queue, taken, until_)

        return noted

    def end(self) -> None:
        """Stop the four cleanly, and then the follower."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            kill(process)
        time.sleep(3)  # the follower looks every second or two
        self.follower.terminate()
        _, err = self.follower.communicate(timeout=20)
        if b"error: " in err or b"Traceback" in err:
            self.world.faults.append(f"the follower: {err.decode(errors='replace')[-200:]}")


def torture(server: Server, deliveries: int, kills: int, *, bug: str = "", seconds: float) -> Figures:
    """Deliver so much while processes are killed so often; *seconds*: within which the killing is spread at most."""
    url = server.store()
    dice = random.Random(deliveries)
    with World(bug=bug) as world:
        fleet = Fleet(world, url)
        until(lambda: all(_answers(port) for port in fleet.ports))
        with patch.object(Queue, "_hide", fleet.noting(Queue._hide)):
            made = _deliver(fleet, deliveries, kills, dice, seconds)
            until(lambda: not world.count("queued") + world.count("invisible"), 60, 0.1)
            fleet.end()
        left = world.count("queued") + world.count("invisible")
        figures = _judged(url, fleet.given, fleet.shown, hits=made)
        figures.faults += world.faults + ([f"{left} messages left in the queues"] if left else [])
        err = (world.folder / "err").read_text(errors="replace")
        figures.faults += ["a traceback"] if "Traceback" in err or "error: internal" in err else []
        figures.faults += {line for line in err.splitlines() if line.startswith("error: ")}
        return figures


def _answers(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as line:
        try:
            line.request("GET", "/healthz")
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _deliver(fleet: Fleet, deliveries: int, kills: int, dice: random.Random, seconds: float) -> int:
    """Deliver, three in ten of it once more, half of it as pushes; kill meanwhile. How often it was killed."""
    shares: list[list[list[str]]] = [[], [], [], []]
    queued: list[str] = []
    serials = 0
    while len(queued) + sum(len(each) for share in shares for each in share) < deliveries:
        some = []
        for _ in range(dice.choice((1, 1, 3, 10))):
            again = serials and dice.random() < 0.3
            serials += not again
            some.append(f"T{dice.randint(1, serials) if again else serials:09}")
        fleet.given.times.update(some)
        if dice.random() < 0.5:
            queued += some
        else:
            dice.choice(shares).append(some)

    def push(n: int) -> None:
        own = random.Random(n)
        for some in shares[n]:
            fleet.push(some, own)
            time.sleep(own.random() * seconds / len(shares[n]))

    def put() -> None:
        for first in range(0, len(queued), 20):
            objects = [message(_KIND, serial) for serial in queued[first : first + 20]]
            fleet.world.sandbox.put_object(fleet.world.queue(_KIND), *objects)
            time.sleep(seconds / (len(queued) / 20 + 1))

    threads = [threading.Thread(target=push, args=(n,)) for n in range(4)] + [threading.Thread(target=put)]
    for thread in threads:
        thread.start()
    made = 0
    for _ in range(kills):
        time.sleep((0.5 + dice.random()) * seconds / kills)
        fleet.kill_one(dice)
        made += 1
    for thread in threads:
        thread.join()
    return made


def _judged(url: str, given: Given, shown: Path, **more: Any) -> Figures:
    figures = Figures(acked=given.times.total(), **more)
    with closing(psycopg.connect(url)) as db:
        rows = db.execute("SELECT biz_id, times_seen, seq FROM smsreceipt.statement").fetchall()
    seen = {biz_id.removesuffix("^0"): times for biz_id, times, _ in rows}
    figures.statements = len(rows)
    figures.recognised = sum(given.unsure.values())
    for serial, times in given.times.items():
        found = seen.get(serial, 0)
        figures.lost += max(0, times - found)
        figures.twice += max(0, found - times - given.unsure[serial])
    figures.twice += len(rows) - len(seen) + len(seen.keys() - given.times.keys())
    told = [json.loads(line)["seq"] for line in shown.read_text().splitlines()]
    if told != sorted(seq for *_, seq in rows):
        lost, again = len({seq for *_, seq in rows} - set(told)), len(told) - len(set(told))
        figures.faults.append(f"the follower missed {lost}, saw {again} twice, ascending: {told == sorted(told)}")
    return figures


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised. What may be stored once more is shown as recognised."""
    with Server() as server:
        planted = torture(server, 4_000, 12, bug="delete-before-commit", seconds=10)
        figures = torture(server, 200_000, 50, seconds=200) if full else torture(server, 5_000, 6, seconds=8)
        caught = planted.lost > 0
        return show("fleet", [("delete-before-commit", caught, planted)], figures, figures.good)

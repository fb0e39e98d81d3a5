"""watch sees that a real listener answers 503, as soon as the store can be written again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.cli.listening import Listen, until
from tests.cli.program import report
from tests.locks import locked

_LASTS = 7.0  # seconds of 503; the threshold of the tests is 6 s


@contextmanager
def locked_table(url: str) -> Iterator[None]:
    """Another session holds the locks that commits of receipts and of notes need."""
    import psycopg

    with closing(psycopg.connect(url)) as db:
        db.execute("LOCK TABLE smsreceipt.statement, smsreceipt.note")
        yield


class Place:
    """A store, and how to lock it."""

    def __init__(self, folder: Path, url: str | None, lock: Callable[[], AbstractContextManager[Any]]) -> None:
        self.path, self.url, self.lock = folder / "receipts.db", url, lock

    def listen(self) -> Listen:
        return Listen(self.path, location=self.url)

    def run(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit code and the output of a command, in a process of its own."""
        ended = subprocess.run(
            [sys.executable, "-m", "smsreceipt", *words, "--store", self.url or str(self.path)],
            env={**os.environ, "HOME": str(self.path.parent)},
            cwd=self.path.parent,
            capture_output=True,
            check=False,
        )
        return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]

    def watch(self) -> tuple[int, list[dict[str, Any]]]:
        return self.run("watch", "--once", "--rule", "all=off", "--rule", "backlog=6s")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.needs("postgres")),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(tmp_path, None, lambda: locked(tmp_path / "receipts.db"))
        return
    with postgres.database() as url:
        yield Place(tmp_path, url, lambda: locked_table(url))


def pushed(listen: Listen, seconds: float) -> set[int]:
    """The answers to pushes for so long."""
    answers, end = set(), time.monotonic() + seconds
    while time.monotonic() < end:
        answers.add(listen.push(report(biz_id=f"{time.monotonic_ns()}^0")))
    return answers


def test_pushes_that_are_answered_503_are_a_backlog(place: Place) -> None:
    with place.listen() as listen:
        assert listen.push(report()) == 200
        assert place.watch() == (0, [])
        with place.lock():
            until(lambda: listen.push(report()) == 503)
            pushed(listen, _LASTS)
        until(lambda: listen.push(report()) == 200)
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            code, alarms = place.watch()
            found.extend(alarms)
            return code == 3

        until(seen, 15)
        (alarm,) = found
        assert (alarm["rule"], alarm["state"], alarm["command"]) == ("backlog", "firing", "smsreceipt outages")
        assert alarm["dimension"].startswith("listen ")
        assert alarm["value"] >= 6
        assert " answered 503 to " in alarm["text_en"]
        assert " 次推送返回 503" in alarm["text_zh"]
        until(lambda: place.watch()[0] == 0, 15)  # so long without a 503
        assert listen.stop() == 143


def test_a_listener_that_stores_all_pushes_is_no_backlog(place: Place) -> None:
    with place.listen() as listen:
        assert pushed(listen, _LASTS) == {200}
        assert place.watch() == (0, [])

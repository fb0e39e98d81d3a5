"""watch sees that a real listener answers 503, as soon as the store can be written again."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.model import Instant
from tests import postgres
from tests.cli.listening import Listen, until
from tests.cli.program import Program, report
from tests.locks import locked

_LIMIT = 2  # seconds of 503 that are an alarm
_LASTS = 3.0  # seconds of 503


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

    def watch(self, later: float = 0.0) -> tuple[int, list[dict[str, Any]]]:
        """The exit code and the output of a look, so many seconds from now."""
        program = Program(self.path.parent)
        program.location = self.url or str(self.path)
        words = ["watch", "--once", "--rule", "all=off", "--rule", f"backlog={_LIMIT}s"]
        ended = program(*words, now=lambda: Instant(round((time.time() + later) * 1000)))
        return ended.code, ended.objects


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
            ended = time.time()
        until(lambda: listen.push(report()) == 200)
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            code, alarms = place.watch(ended - time.time())  # the note may come later than it is an alarm
            found.extend(alarms)
            return code == 3

        until(seen, 15)
        (alarm,) = found
        assert (alarm["rule"], alarm["state"], alarm["command"]) == ("backlog", "firing", "smsreceipt outages")
        assert alarm["dimension"].startswith("listen ")
        assert alarm["value"] >= _LIMIT
        assert " answered 503 to " in alarm["text_en"]
        assert " 次推送返回 503" in alarm["text_zh"]
        assert place.watch(_LIMIT + 1)[0] == 0  # so long without a 503
        assert listen.stop() == 143


def test_a_listener_that_stores_all_pushes_is_no_backlog(place: Place) -> None:
    with place.listen() as listen:
        assert pushed(listen, _LASTS) == {200}
        assert place.watch() == (0, [])

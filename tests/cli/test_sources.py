"""The same thousand bodies by queue, by push, by file, or by any mixture in any order: the same list."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.sandbox import Options, Sandbox
from tests.cli.listening import Listen
from tests.cli.program import CALL, CALL_ENDED, FAILED, REPLY, Program, report

pytestmark = pytest.mark.slow

Item = tuple[str, dict[str, object]]  # a kind and a body
#: What tells how a statement came, and not what it says.
_BY_THE_WAY = ("seq", "received_at", "source", "origin", "times_seen")


def bodies() -> list[Item]:
    """A thousand: most messages have one statement, some a first word that is none, some fail; replies and calls."""
    items: list[Item] = []
    for n in range(400):
        biz_id = f"{n}^0"
        if n % 4 == 0:
            early: dict[str, Any] = {"success": False, "err_code": "UNKNOWN", "report_time": "2026-11-20 15:49:56"}
            items.append(("SmsReport", report(biz_id=biz_id, **early)))
        items.append(("SmsReport", report(biz_id=biz_id, **(FAILED if n % 3 == 0 else {}))))
    items += [("SmsUp", {**REPLY, "sequence_id": n}) for n in range(150)]
    for n in range(175):
        items.append(("SecretStartReport", {**CALL, "call_id": f"call-{n}", "control_type": "CONTINUE"}))
        items.append(("SecretReport", {**CALL_ENDED, "call_id": f"call-{n}"}))
    assert len(items) == 1_000
    return items


class Sources:
    """One store, and every source that fills it."""

    def __init__(self, program: Program, sandbox: Sandbox, listen: Listen) -> None:
        self._program, self._sandbox, self._listen = program, sandbox, listen

    def pull(self, items: Sequence[Item]) -> None:
        queues = set()
        for kind, body in items:
            queues.add(f"Alicom-Queue-1000000001-{kind}")
            self._sandbox.put_object(f"Alicom-Queue-1000000001-{kind}", body)
        words = [word for queue in sorted(queues) for word in ("--queue", queue)]
        ended = self._program("pull", "--wait", "1", "--no-settle", *words, environ=self._sandbox.environment())
        assert ended.code == 0, ended.err

    def push(self, items: Sequence[Item]) -> None:
        """Twenty a push: those of one kind to its path, others to the one for all."""
        for first in range(0, len(items), 20):
            piece = items[first : first + 20]
            kinds = {kind for kind, _ in piece}
            assert self._listen.push(*(body for _, body in piece), kind=kinds.pop() if len(kinds) == 1 else "") == 200

    def replay(self, items: Sequence[Item]) -> None:
        by_kind: defaultdict[str, list[str]] = defaultdict(list)
        for kind, body in items:
            by_kind[kind].append(json.dumps(body, ensure_ascii=False))
        folder = self._program.home / f"saved-{random.randrange(10**9)}"
        folder.mkdir()
        for kind, lines in by_kind.items():
            (folder / f"{kind}.ndjson").write_text("\n".join(lines))
        ended = self._program("replay", str(folder), "--min-free", "0")
        assert ended.code == 0, ended.err


Way = Callable[[Sources, Sequence[Item], random.Random], None]


def mixed(sources: Sources, items: Sequence[Item], dice: random.Random) -> None:
    """Each by one way or by several, some again."""
    ways = [sources.pull, sources.push, sources.replay, sources.push, sources.replay]
    shares: list[list[Item]] = [[] for _ in ways]
    for item in items:
        for number in dice.sample(range(len(ways)), dice.choice((1, 1, 2, 3))):
            shares[number].append(item)
    for way, share in zip(ways, shares, strict=True):
        way(share)


WAYS: dict[str, Way] = {
    "pull": lambda sources, items, _: sources.pull(items),
    "push": lambda sources, items, _: sources.push(items),
    "replay": lambda sources, items, _: sources.replay(items),
    "mixed": mixed,
}


def listed(program: Program) -> list[dict[str, Any]]:
    """What `list --json` says, but for how it came."""
    found = program("list", "--json").objects
    told = [{name: value for name, value in each.items() if name not in _BY_THE_WAY} for each in found]
    return sorted(told, key=lambda each: (each["kind"], each["identity"]))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What is listed when they are put into a store one after the other."""
    program, by_kind = Program(tmp_path_factory.mktemp("expected")), defaultdict(list)
    for kind, body in bodies():
        by_kind[kind].append(body)
    for kind, found in by_kind.items():
        program.keep(kind, *found)
    return listed(program)


@pytest.mark.parametrize("way", WAYS)
def test_whichever_way_they_come_the_list_is_the_same(tmp_path: Path, way: str, expected: list[dict[str, Any]]) -> None:
    dice, items = random.Random(way), bodies()
    dice.shuffle(items)
    program = Program(tmp_path)
    with Sandbox(Options(port=0)) as sandbox, Listen(program.store) as listen:
        WAYS[way](Sources(program, sandbox, listen), items, dice)
        assert listen.stop() == 143
    assert len(expected) == 900
    assert listed(program) == expected

"""The order of things, by strace: what a DELETE names, or a 200 answers, was written to the journal and flushed."""

from __future__ import annotations

import base64
import re
import signal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.listener import Listener
from tests.torture.world import World, serial_of

_LINE = re.compile(r"^(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(rb"<ReceiptHandle>([^<]+)</ReceiptHandle>")
_MESSAGE = re.compile(rb"<Message>\s*<MessageId>.*?</Message>", re.DOTALL)
_TEXT = re.compile(rb"<MessageBody>([^<]*)<")
#: What the loops use on sockets: asyncio's the first of each, uvloop the second.
_RECEIVING, _SENDING = ("recvfrom", "read"), ("sendto", "write")
_SERIAL = re.compile(rb"T\d{9}")
_FRAME = 24  # bytes of a journal frame's header; its second word is not zero in the frame that commits


@dataclass(frozen=True)
class Call:
    """A system call: where in the log it began and ended, and the bytes that it moved."""

    name: str
    text: str
    began: int
    ended: int
    data: bytes

    @property
    def file(self) -> str:
        """What its descriptor stands for."""
        path = self.text.partition("<")[2].partition(">")[0]
        return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path


def calls(log: Path) -> Iterator[Call]:
    """The calls of a log of `strace -f -xx -y`, in the order in which they ended."""
    begun: dict[tuple[str, str], tuple[int, str]] = {}
    for number, line in enumerate(log.read_text("ascii").splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name, text, resumed, rest = match.groups()
        if resumed:
            began, text = begun.pop((thread, resumed))
            name, text = resumed, text + rest
        elif text.endswith("<unfinished ...>"):
            begun[thread, name] = (number, text.removesuffix("<unfinished ...>"))
            continue
        else:
            began = number
        moved = _STRING.search(text)
        data = bytes.fromhex(moved[1].replace("\\x", "")) if moved else b""
        yield Call(name, text, began, number, data)


@dataclass
class Figures:
    """Of the messages that were deleted, how many had been flushed before."""

    acks: int = 0
    flushed: int = 0
    deletes: int = 0  #: requests
    answers: int = 0  #: to pushes

    @property
    def good(self) -> bool:
        return 0 < self.acks == self.flushed

    def __str__(self) -> str:
        sent = f"answers={self.answers} pushes" if self.answers else f"deletes={self.deletes} messages"
        return f"{sent} acked={self.acks} flushed before={self.flushed}"


class _Journal:
    """Which serials have been written to the journal, committed there, and flushed."""

    def __init__(self) -> None:
        self.safe: set[str] = set()
        self._written: set[str] = set()
        self._committed: list[tuple[int, set[str]]] = []  # where in the log the commit's frame was written
        self._last = False  # the frame that is being written is one that commits

    def write(self, call: Call) -> None:
        if len(call.data) == _FRAME:
            self._last = call.data[4:8] != bytes(4)
            return
        self._written |= {found.decode() for found in _SERIAL.findall(call.data)}
        if self._last:
            self._committed.append((call.ended, self._written))
            self._written, self._last = set(), False

    def flush(self, call: Call) -> None:
        for commit in [commit for commit in self._committed if commit[0] < call.began]:
            self._committed.remove(commit)
            self.safe |= commit[1]


def judge(log: Path) -> Figures:
    """Follow each message from its answer through the journal to its delete."""
    figures, journal = Figures(), _Journal()
    serials: dict[bytes, str] = {}  # by handle
    received: defaultdict[str, bytes] = defaultdict(bytes)
    # What is sent counts from when it began, everything else from when it was done.
    for call in sorted(calls(log), key=lambda call: call.began if call.name in _SENDING else call.ended):
        if call.name in _RECEIVING and call.file.startswith("socket:"):
            received[call.file] += call.data
            for found in _MESSAGE.findall(received[call.file]):
                body, handle = b"".join(_TEXT.findall(found)), b"".join(_HANDLE.findall(found))
                serials[handle] = serial_of(body if b"!" in body else base64.b64decode(body))
        elif call.name == "pwrite64" and call.file.endswith("-wal"):
            journal.write(call)
        elif call.name == "fdatasync" and call.file.endswith("-wal") and re.search(r"\) += 0\b", call.text):
            journal.flush(call)
        elif call.name in _SENDING and call.data.startswith(b"DELETE "):
            handles = _HANDLE.findall(call.data)
            figures.deletes += 1
            figures.acks += len(handles)
            figures.flushed += sum(serials.get(handle) in journal.safe for handle in handles)
    return figures


def judge_answers(log: Path) -> Figures:
    """Follow each push from its socket through the journal to its 200."""
    figures, journal = Figures(), _Journal()
    unanswered: defaultdict[str, bytes] = defaultdict(bytes)
    for call in sorted(calls(log), key=lambda call: call.began if call.name in _SENDING else call.ended):
        if call.name in _RECEIVING and call.file.startswith("socket:"):
            unanswered[call.file] += call.data
        elif call.name == "pwrite64" and call.file.endswith("-wal"):
            journal.write(call)
        elif call.name == "fdatasync" and call.file.endswith("-wal") and re.search(r"\) += 0\b", call.text):
            journal.flush(call)
        elif call.name in _SENDING and call.data.startswith(b"HTTP/1.1 200 "):
            pushed = {found.decode() for found in _SERIAL.findall(unanswered.pop(call.file, b""))}
            figures.answers += bool(pushed)
            figures.acks += len(pushed)
            figures.flushed += len(pushed & journal.safe)
    return figures


def torture_listen(seconds: float, bug: str = "") -> Figures:
    """A listener under strace that is pushed to for so long."""
    with Listener() as listener:
        listener.stop()  # the store is made, and every module is compiled
        words = listener.words()
        tracer = _tracer(listener.folder / "strace.log")
        listener.start([*words[:2], "tests.torture.traced", tracer, bug, *words[words.index("listen") :]])
        listener.pusher(seconds, "--connections", "8", "--receipts", "3").communicate(timeout=60)
        listener.process.send_signal(signal.SIGTERM)
        listener.process.wait(30)
        return judge_answers(listener.folder / "strace.log")


def _tracer(log: Path) -> str:
    watched = ",".join((*_RECEIVING, *_SENDING, "pwrite64", "fdatasync"))
    slow = "--inject=fdatasync:delay_enter=20000"  # who does not wait for the disk is seen not to
    return f"strace -f -qq -xx -y -s 200000 -o {log} --trace={watched} {slow}"


def torture(messages: int, bug: str = "") -> tuple[Figures, bool]:
    """A pull of so many messages under strace; the figures, and whether the store is right."""
    with World(bug=bug) as world:
        world.put(messages)
        log = world.folder / "strace.log"
        words = world.pull_words()
        world.run([*words[:2], "tests.torture.traced", _tracer(log), bug, *words[words.index("pull") :]])
        figures = judge(log)
        world.bug = ""
        world.drain()
        return figures, world.judge().good


def main(full: bool) -> bool:
    """Print the figures; whether they are as promised."""
    good = True
    for bug in ("delete-before-commit", "normal"):
        figures, _ = torture(200, bug)
        print(f"order, planted {bug}: {'caught' if not figures.good else 'NOT CAUGHT'}: {figures}")
        good &= not figures.good
    figures, sound = torture(5_000 if full else 500)
    print(f"order: {figures}")
    good &= figures.good and sound
    for bug in ("ok-before-commit", "normal"):
        figures = torture_listen(1, bug)
        print(f"order of pushes, planted {bug}: {'caught' if not figures.good else 'NOT CAUGHT'}: {figures}")
        good &= not figures.good
    figures = torture_listen(20 if full else 2)
    print(f"order of pushes: {figures}")
    return good and figures.good

"""A supervisor that listens where NOTIFY_SOCKET says, as systemd does."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from typing import Self


class FakeSupervisor:
    """A datagram socket with a name outside the file system, and what came to it."""

    def __init__(self) -> None:
        self.name = f"@smsreceipt-test-{secrets.token_hex(8)}"
        self.lines: list[str] = []
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wire.setblocking(False)
        self._wire.bind(f"\0{self.name[1:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def environ(self, watchdog: float = 0.0) -> dict[str, str]:
        """The environment of a program that is supervised."""
        limit = {"WATCHDOG_USEC": str(round(watchdog * 1_000_000))} if watchdog else {}
        return {"NOTIFY_SOCKET": self.name, **limit}

    def came(self) -> list[str]:
        """Everything that has come so far."""
        while True:
            try:
                self.lines += self._wire.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.lines

    def beats(self) -> int:
        return self.came().count("WATCHDOG=1")

    def until(self, done: Callable[[], bool], seconds: float = 30) -> None:
        """Until this is so; fails when it takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, self.came()
            time.sleep(0.01)

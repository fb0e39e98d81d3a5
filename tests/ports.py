"""Ports for servers that are told their port before they start."""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

_DICE = random.SystemRandom()  # two processes must not throw the same
_taken: set[int] = set()


def free_port() -> int:
    """A port of loopback that is free and, until this process ends, given to no other test, also of other runs.

    It is below those that the system gives to outgoing connections (from 32768 on Linux): none of them takes it before
    the server does, or while it starts again.
    """
    while True:
        port = _DICE.randrange(20_000, 32_000)
        if port in _taken:
            continue
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            _taken.add(port)
            return port


@cache
def _locks() -> int:
    """A file with a byte for each port; who holds the lock of a byte has that port."""
    path = Path(tempfile.gettempdir(), f"smsreceipt-test-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

"""Ports for servers that are told their port before they start."""

import random
import socket
from contextlib import suppress

_DICE = random.SystemRandom()  # two processes must not throw the same


def free_port() -> int:
    """A port of loopback that is free.

    It is below those that the system gives to outgoing connections (from 32768 on Linux): none of them takes it before
    the server does, or while it starts again.
    """
    while True:
        port = _DICE.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port

"""Opens connections for asyncio by name, within the time limit of the caller, and without delaying an exit."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar

_T = TypeVar("_T")
_P = TypeVar("_P", bound=asyncio.BaseProtocol)


async def dial(
    make: Callable[[], _P], host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[asyncio.Transport, _P]:
    """As loop.create_connection, which may be cancelled at any time.

    The event loop looks names up in threads that hold up the end of the process, and reports failures that come after
    the caller has given up as its own.
    """
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for address in await _addresses(host, port):
        try:
            return await loop.create_connection(make, address, port, ssl=tls, server_hostname=host if tls else None)
        except OSError as exc:
            failure = exc
    raise failure or socket.gaierror


async def _addresses(host: str, port: int) -> list[str]:
    try:
        ip_address(host)
    except ValueError:
        found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return [*dict.fromkeys(str(address[0]) for *_, address in found)]
    return [host]


async def in_thread(function: Callable[[], _T]) -> _T:
    """Return what *function* returns in a thread of its own: a daemon, so that it cannot delay an exit."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def settle(value: _T | None, exc: BaseException | None) -> None:
        if answer.done():
            return
        if exc is None:
            answer.set_result(value)  # type: ignore[arg-type]  # set when there is no exception
        else:
            answer.set_exception(exc)

    def run() -> None:
        outcome: tuple[_T | None, BaseException | None]
        try:
            outcome = function(), None
        except BaseException as exc:  # noqa: BLE001 - raised where it is awaited
            outcome = None, exc
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            return  # the loop is closed

    threading.Thread(target=run, daemon=True).start()
    return await answer

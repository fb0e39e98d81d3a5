"""Listening sockets: addresses, inherited sockets, and the limit of open connections."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Mapping
from typing import NamedTuple

from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _, of_system

_FIRST_PASSED = 3  # the descriptor of the first socket that systemd passes (sd_listen_fds)
_SPARE = 64  # descriptors for the store, the streams and the loop
_BACKLOG = 1_024  # connections that wait to be accepted
_IN_USE = N_("Is another program there? Choose another port: {option} {address}")
_NOT_HERE = N_("This machine has no such address. For all of its own: {option} {address}")
_OF_SYSTEM = N_("Ports below 1024 are the system's. Choose another: {option} {address}")


class HostPort(NamedTuple):
    """A host and a port; the host "" means all interfaces."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @classmethod
    def of(cls, text: str) -> HostPort:
        """The address that a text names: HOST:PORT, :PORT or [IPV6]:PORT. Raises ValueError."""
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
            raise ValueError(text)
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if bare == host and ":" in host:
            raise ValueError(text)
        return cls(bare, int(port))


def begin_listening(bound: socket.socket) -> None:
    """Accept connections from now on. Raises UsageError if another process has taken the address meanwhile."""
    try:
        bound.listen(_BACKLOG)
    except OSError as exc:
        raise UsageError(
            _("cannot listen on {address}: {reason}", address=bound.getsockname(), reason=of_system(exc))
        ) from exc


def listener(address: HostPort, option: str) -> socket.socket:
    """A socket bound to the address, not yet listening. Raises UsageError, which names the option."""
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:  # some names of hosts cannot even be looked up
        raise UsageError(
            _("{option}: {address} is no address of this machine", option=option, address=address),
            hint=_("Say HOST:PORT."),
        ) from exc
    family, kind, protocol, _name, resolved = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(resolved)
    except OSError as exc:
        opened.close()
        hint, other = _IN_USE, HostPort(address.host, address.port + 1)
        if exc.errno == errno.EADDRNOTAVAIL:
            hint, other = _NOT_HERE, HostPort("0.0.0.0", address.port)  # noqa: S104
        elif exc.errno == errno.EACCES:
            hint, other = _OF_SYSTEM, HostPort(address.host, 8080)
        raise UsageError(
            _("{option}: cannot listen on {address}: {reason}", option=option, address=address, reason=of_system(exc)),
            hint=_(hint, option=option, address=other),
        ) from exc
    return opened


def adopt(descriptor: int | None, environ: Mapping[str, str]) -> socket.socket | None:
    """The listening socket that the process inherited: *descriptor*, or systemd's; None where there is none.

    Raises UsageError for a descriptor that is no listening TCP socket.
    """
    if descriptor is None:
        if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS", "0") == "0":
            return None
        if environ["LISTEN_FDS"] != "1":
            raise UsageError(_("systemd passed several sockets, and one is needed"))
        descriptor = _FIRST_PASSED
    try:
        os.set_inheritable(descriptor, False)
        found = socket.socket(fileno=descriptor)
        if found.type == socket.SOCK_STREAM and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return found
        found.detach()
    except OverflowError as exc:
        raise UsageError(_("descriptor {n} is no socket: no number of one is so high", n=descriptor)) from exc
    except OSError as exc:
        raise UsageError(_("descriptor {n} is no socket: {reason}", n=descriptor, reason=of_system(exc))) from exc
    raise UsageError(
        _("descriptor {n} is no listening TCP socket", n=descriptor), hint=_("With systemd: a .socket unit.")
    )


def raise_descriptor_limit(connections: int) -> None:
    """Allow so many open connections. Raises UsageError where the system's limit is lower."""
    wanted = connections + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as exc:
            raise UsageError(
                _(
                    "--max-connections {connections}: this process may open only {files} files",
                    connections=connections,
                    files=hard,
                ),
                hint=_("Raise the limit (ulimit -n; LimitNOFILE= in a systemd unit) or ask for fewer."),
            ) from exc

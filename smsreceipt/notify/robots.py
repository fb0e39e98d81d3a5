"""Robots: each has a name without secrets, and tries three times to tell a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.notify.address import Address, Secret, read
from smsreceipt.notify.chat import DingTalk, Feishu, WeCom
from smsreceipt.notify.command import Command
from smsreceipt.notify.faults import NotTold
from smsreceipt.notify.mail import Mail
from smsreceipt.notify.message import Message
from smsreceipt.notify.others import Apprise
from smsreceipt.notify.post import Way
from smsreceipt.notify.webhook import Webhook

__all__ = ["Message", "NotTold", "Robot", "robots_of"]

_PAUSES = (1.0, 3.0)  # seconds before the second and the third try


class Sender(Protocol):
    """One way to send."""

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless the message was confirmed."""


@dataclass(frozen=True)
class Robot:
    """One receiver of messages."""

    name: str  #: for messages; it has no secret
    key: str  #: for the store
    sender: Sender

    @property
    def wants_report(self) -> bool:
        """Whether its messages carry the report."""
        return isinstance(self.sender, Mail) and self.sender.report

    def tell(self, message: Message, wait: Callable[[float], bool]) -> None:
        """Send the message, in three tries where that may help. Raises NotTold of the last one.

        *wait* sleeps, and returns True when it is time to stop; then there is no further try.
        """
        for pause in _PAUSES:
            try:
                return self.sender.send(message)
            except NotTold as exc:
                if not exc.again or wait(pause):
                    raise
        return self.sender.send(message)


def robots_of(
    texts: Sequence[str], environ: Mapping[str, str], home: Path, proxies: Proxies, now: Callable[[], float]
) -> list[Robot]:
    """A robot for each `--notify`, each once. *now*: seconds since 1970, for signatures.

    Raises UsageError where one cannot be read, or its address is not valid; it quotes no address.
    """
    found = {address.key: address for address in map(Address.parse, texts)}
    return [Robot(it.name, key, _sender(it, environ, home, proxies, now)) for key, it in found.items()]


def _sender(
    address: Address, environ: Mapping[str, str], home: Path, proxies: Proxies, now: Callable[[], float]
) -> Sender:
    if not address.place:
        return Command.of(address.what, shell=address.kind == "shell")
    secret: Secret = read(address, environ, home)
    where = f"{address.kind}: {address.what}"
    if address.kind == "mail":
        return Mail.at(secret.url, secret.key, where=where)
    if address.kind == "apprise":
        return Apprise.at(secret.url, where=where)
    way = Way.to(secret.url, proxies, where=where)
    if address.kind == "dingtalk":
        return DingTalk(way, secret.key, now)
    if address.kind == "feishu":
        return Feishu(way, secret.key, now)
    return WeCom(way) if address.kind == "wecom" else Webhook(way, secret.key)

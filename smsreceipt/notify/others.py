"""The hundred further services of Apprise (apprise:env:NAME), by the extra `notify`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from smsreceipt.aliyun.deadline import within
from smsreceipt.errors import UsageError
from smsreceipt.extras import install_command
from smsreceipt.language import _
from smsreceipt.notify.faults import NotTold
from smsreceipt.notify.message import Message

_LIMIT = 30.0  # seconds; its services have limits of their own


@dataclass(frozen=True)
class Apprise:
    """A service of Apprise, by its URL. repr() does not hold it."""

    url: str = field(repr=False)
    service: str

    @classmethod
    def at(cls, url: str, *, where: str) -> Apprise:
        """The service of a URL. Raises UsageError where the extra is not installed, or it knows no such URL."""
        try:
            import apprise
        except ImportError:
            raise UsageError(
                _("--notify {where}: Apprise is not installed", where=where), hint=install_command("notify")
            ) from None
        # It logs URLs.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        made = apprise.Apprise.instantiate(url)
        if made is None:
            raise UsageError(
                _("--notify {where}: Apprise knows no such URL", where=where),
                hint=_("Its form differs from service to service: https://github.com/caronc/apprise/wiki"),
            )
        return cls(url, str(made.service_name))

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless Apprise says that it arrived."""
        try:
            told = within(_LIMIT, lambda: self._notify(message))
        except TimeoutError:
            said = _("{service} (Apprise): no answer within {seconds:g} s", service=self.service, seconds=_LIMIT)
            raise NotTold(said, again=True) from None
        except Exception:  # noqa: BLE001 - of whatever library a service uses; its text may quote the URL
            told = False
        if not told:
            raise NotTold(_("{service} (Apprise) did not take the message", service=self.service), again=True)

    def _notify(self, message: Message) -> bool:
        import apprise

        service = apprise.Apprise()
        service.add(self.url)
        kind = apprise.NotifyType.WARNING if message.bad else apprise.NotifyType.SUCCESS
        told = service.notify(
            body=message.plain(), title=message.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        )
        return bool(told)

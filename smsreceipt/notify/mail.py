"""E-mail: smtps:// with TLS from the first byte, smtp:// with STARTTLS, which only loopback may do without."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import parse_qs, unquote, urlsplit

from smsreceipt.aliyun.deadline import within
from smsreceipt.aliyun.endpoints import Endpoint
from smsreceipt.aliyun.faults import in_words
from smsreceipt.aliyun.way import tls_context
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.notify.faults import NotTold
from smsreceipt.notify.message import Message

_FORM = "smtps://user@mail.example.com?from=alarm@example.com&to=ops@example.com PASSWORD"
_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class Mail:
    """A mail account, and who gets the mail. repr() holds the host only."""

    host: str
    port: int
    tls: bool  #: from the first byte
    user: str = field(repr=False)
    password: str = field(repr=False)
    sender: str = field(repr=False)
    to: tuple[str, ...] = field(repr=False)
    report: bool = False  #: whether the report is to be attached
    limit: float = 10.0  #: seconds between two answers of the server; six times that for all of it

    @classmethod
    def at(cls, url: str, password: str, *, where: str) -> Mail:
        """Parse smtps://USER@HOST:PORT?from=A&to=B&to=C&report=yes.

        Raises UsageError, which names *where* the URL stands and quotes nothing of it.
        """
        fault = UsageError(
            _("--notify {where}: there is no address of a mail account", where=where),
            hint=_("Such as {example}", example=_FORM),
        )
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
            asked = parse_qs(parts.query, strict_parsing=True)
        except (KeyError, ValueError):
            raise fault from None
        user = unquote(parts.username or "")
        to = tuple(asked.get("to", ()))
        sender = (asked.get("from") or [user if "@" in user else ""])[0]
        addresses = [*to, sender]
        known = set(asked) <= {"to", "from", "report"} and parts.password is None
        if not host or not to or not known or not all("@" in each and each.isprintable() for each in addresses):
            raise fault
        report = asked.get("report", ["no"])[0].lower() in {"yes", "1", "true"}
        return cls(host, port, parts.scheme == "smtps", user, password, sender, to, report)

    def send(self, message: Message) -> None:
        """Send once. Raises NotTold unless the server takes the mail for every receiver."""
        where = f"{self.host}:{self.port}"
        try:
            refused = within(6 * self.limit, lambda: self._deliver(self._composed(message)))
        except smtplib.SMTPResponseException as exc:
            raise NotTold(_refusal(where, exc), again=exc.smtp_code < 500) from None
        except smtplib.SMTPRecipientsRefused as exc:
            raise NotTold(self._refused(where, len(exc.recipients))) from None
        except smtplib.SMTPNotSupportedError:
            raise NotTold(_("{where} offers no TLS or no login", where=where)) from None
        except ssl.SSLCertVerificationError:
            said = _("{what}: {reason}", what=where, reason=_("its certificate is not valid"))
            raise NotTold(said) from None
        except (smtplib.SMTPException, OSError, UnicodeError) as exc:
            raise NotTold(_("{what}: {reason}", what=where, reason=in_words(exc)), again=True) from None
        if refused:
            raise NotTold(self._refused(where, refused))

    def _refused(self, where: str, count: int) -> str:
        return _("{where} takes no mail for {n} of {all} addresses", where=where, n=count, all=len(self.to))

    def _deliver(self, mail: EmailMessage) -> int:
        """Hand the mail to the server; return for how many receivers it was refused."""
        with self._connected() as server:
            if self.password:
                server.login(self.user, self.password)
            return len(server.send_message(mail, self.sender, self.to))

    def _connected(self) -> smtplib.SMTP:
        if self.tls:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.limit, context=tls_context())
        server = smtplib.SMTP(self.host, self.port, timeout=self.limit)
        try:
            server.ehlo()
            if server.has_extn("starttls") or not Endpoint(self.host, self.port, tls=False).loopback:
                server.starttls(context=tls_context())
        except BaseException:
            server.close()
            raise
        return server

    def _composed(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = message.title, self.sender, ", ".join(self.to)
        mail["Date"], mail["Message-ID"] = formatdate(localtime=True), make_msgid(domain="smsreceipt.invalid")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.plain() + "\n")
        for attached in message.attachments if self.report else ():
            mail.add_attachment(attached.data, maintype="text", subtype=attached.subtype, filename=attached.name)
        return mail


def _refusal(where: str, exc: smtplib.SMTPResponseException) -> str:
    """The answer of a server that ended the exchange, without its text."""
    if exc.smtp_code <= 0:
        return _("{where} does not answer as a mail server", where=where)
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        return _("{where} refuses user and password ({code})", where=where, code=exc.smtp_code)
    return _("{where} answered ({code})", where=where, code=exc.smtp_code)

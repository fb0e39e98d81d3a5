"""The URL of a PostgreSQL database: checked before any driver sees it, and shown without its secrets.

libpq quotes parts of a URL that it cannot read, the password among them. So a URL that could be read in two ways is
refused here, and no part of it is quoted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _

_FORM = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[\w.~!$&'*+(),;=%-]*)(?::(?P<password>[\w.~!$&'*+(),;=:%-]*))?@)?"
    r"(?P<hosts>(?:\[[\da-fA-F:.]+\]|[\w.%-]+)?(?::\d*)?(?:,(?:\[[\da-fA-F:.]+\]|[\w.%-]+)?(?::\d*)?)*)"
    r"(?:/(?P<database>[^/?#@\s]*))?"
    r"(?:\?(?P<query>[\w.~!$&'*+(),;=:%/@-]*))?",
    re.ASCII,
)
_PAIR = re.compile(r"[a-z_]+=[^=&]*")
_SHOWN = ("host", "port", "dbname", "user", "service", "sslmode")  #: parameters that hold no secret
#: Parameters whose values are of a closed form, so that nothing else can be given, and shown, by mistake.
_VALUES = {
    "port": re.compile(r"\d*(?:,\d*)*"),
    "sslmode": re.compile("disable|allow|prefer|require|verify-ca|verify-full"),
    "target_session_attrs": re.compile("any|read-write|read-only|primary|standby|prefer-standby"),
    "connect_timeout": re.compile(r"\d+"),
}
#: What else libpq knows. client_encoding and replication are not left to the user.
_KNOWN = {
    *_SHOWN, *_VALUES, "application_name", "channel_binding", "fallback_application_name", "gssdelegation",
    "gssencmode", "gsslib", "hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
    "krbsrvname", "load_balance_hosts", "options", "passfile", "password", "require_auth", "requirepeer",
    "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl",
    "sslcrldir", "sslkey", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni", "tcp_user_timeout",
}  # fmt: skip
_CHECKED = ("require", "verify-ca", "verify-full")  #: the values of sslmode that never fall back to plain text
_FORMS = {
    "port": N_("A port is a number."),
    "sslmode": N_("sslmode is disable, allow, prefer, require, verify-ca or verify-full."),
    "target_session_attrs": N_("To write to the primary of several servers: target_session_attrs=read-write."),
    "connect_timeout": N_("connect_timeout is in whole seconds."),
}
_HINT = N_(
    "postgresql://USER@HOST:5432/DATABASE; percent-encode special characters of a password, or"
    " give it in PGPASSWORD or ~/.pgpass."
)


class Address(NamedTuple):
    """Where a database is."""

    url: str  #: with its secrets
    shown: str  #: without them
    hosts: tuple[str, ...]  #: names, addresses, and directories of sockets; empty where the URL names none
    has_password: bool
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL. Raises UsageError, which quotes nothing of it, if it is not exactly of the documented form."""
        found = _FORM.fullmatch(url)
        query = (found and found["query"]) or ""
        pairs = query.split("&") if query else []
        if found is None or not all(map(_PAIR.fullmatch, pairs)):
            raise UsageError(_("this PostgreSQL URL cannot be read"), hint=_HINT)
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        _require_known(parameters)
        hosts = [each.rpartition(":")[0] if re.search(r":\d*$", each) else each for each in found["hosts"].split(",")]
        hosts = parameters["host"].split(",") if "host" in parameters else hosts
        user = f"{found['user']}@" if found["user"] else ""
        database = f"/{found['database']}" if found["database"] else ""
        shown = "&".join(pair for pair in pairs if pair.partition("=")[0] in _SHOWN)
        return cls(
            url,
            f"postgresql://{user}{found['hosts']}{database}{'?' if shown else ''}{shown}",
            tuple(unquote(host.strip("[]")) for host in hosts if host),
            bool(found["password"] or "password" in parameters),
            parameters,
        )

    def sslmode(self, environ: Mapping[str, str], *, insecure: bool) -> str | None:
        """The sslmode to connect with; None: what the URL or the environment says.

        Raises UsageError for one that allows plain text to another machine, unless *insecure*.
        """
        told = self.parameters.get("sslmode") or environ.get("PGSSLMODE")
        hosts = self.hosts or tuple(filter(None, (environ.get("PGHOSTADDR") or environ.get("PGHOST", "")).split(",")))
        if insecure or all(map(_is_local, (*hosts, *self.parameters.get("hostaddr", "").split(",")))):
            return None
        if told is None:
            return "require"
        if told not in _CHECKED:
            _require_known({"sslmode": told})
            raise UsageError(
                _(
                    "sslmode={sslmode} may send receipts and phone numbers unencrypted to the store {store}",
                    sslmode=told,
                    store=self.shown,
                ),
                hint=_("Use sslmode=require or verify-full, or --insecure-db if nobody can listen in between."),
            )
        return None


def _require_known(parameters: Mapping[str, str]) -> None:
    """Raise UsageError, which quotes no value, for a parameter that libpq does not know or that has no such value."""
    if not parameters.keys() <= _KNOWN:
        raise UsageError(
            _("this PostgreSQL URL has a parameter that is not known"),
            hint=_(
                "After the ? are names of libpq's connection parameters, such as sslmode, connect_timeout, service."
            ),
        )
    for name, form in _VALUES.items():
        if name in parameters and not form.fullmatch(parameters[name]):
            raise UsageError(
                _("the PostgreSQL URL or the environment has no valid {name}", name=name), hint=_FORMS[name]
            )


def _is_local(host: str) -> bool:
    """Whether a host is this machine; a directory is that of a socket. A missing host is a socket too."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def private_file(location: str, ending: str) -> Path:
    """A file of its own for each database, in the platform's data directory."""
    from platformdirs import user_data_path

    name = sha256(location.encode()).hexdigest()[:16]
    return user_data_path("smsreceipt", appauthor=False) / f"postgres-{name}.{ending}"

"""The environment of a program that uses this package: nothing is printed, messages go to its log."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.config import Config
from smsreceipt.settings import Setting

_LOG = logging.getLogger("smsreceipt")


class _Logging(App):
    """An App that logs what it has to say, at level INFO, and with -v at level DEBUG."""

    def say(
        self,
        text: str,
        verbosity: int = 0,
        *,
        event: str = "",  # noqa: ARG002 - the signature of App
        fields: Mapping[str, object] | None = None,  # noqa: ARG002 - the same
    ) -> None:
        """Log a message; it has no phone numbers and no secrets."""
        _LOG.log(logging.DEBUG if verbosity > 0 else logging.INFO, "%s", text)


def app_of(url: str | os.PathLike[str] | None) -> App:
    """The App for the store at *url*; None: SMSRECEIPT_STORE, else the default store of the user."""
    location = os.environ.get("SMSRECEIPT_STORE") if url is None else os.fspath(url)
    home = Path(os.environ.get("HOME") or "/")
    app = _Logging(environ=os.environ, home=home, stdin=None, stdout=None, stderr=None)
    settings = {"store": Setting(location, "program")} if location else {}
    if os.environ.get("SMSRECEIPT_INSECURE_DB", "") not in {"", "0"}:
        settings["insecure-db"] = Setting(value=True, origin="environment")
    app.configure(settings, Config())
    return app

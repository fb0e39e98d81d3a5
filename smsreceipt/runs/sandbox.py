"""Runs the sandbox: the provider's side on loopback."""

from __future__ import annotations

import shlex
import threading

from smsreceipt.app import App
from smsreceipt.language import _
from smsreceipt.sandbox import Options, Sandbox
from smsreceipt.waiting import wait_for


def run(app: App, options: Options) -> None:
    """Serve until a signal ends the process. Prints export lines with the sandbox's environment, then "# ready"."""
    with Sandbox(options) as sandbox:
        queues = {"SMSRECEIPT_PULL_UID": options.uid, "SMSRECEIPT_PULL_TYPE": "all"}
        settings = {**sandbox.environment(), **queues}
        lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
        app.report("\n".join([*lines, "# ready", ""]).encode())
        app.say(_("listening on {url}; Ctrl-C stops it", url=sandbox.url))
        app.say(_("next, in another terminal: enter the export lines (from a file: . ./FILE), then: smsreceipt pull"))
        wait_for(threading.Event())

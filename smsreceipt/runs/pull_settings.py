"""Which queues `pull` drains without options."""

from __future__ import annotations

from collections.abc import Sequence

from smsreceipt.app import App
from smsreceipt.model.written import separated


def queue_words(app: App) -> tuple[Sequence[str], str | None, Sequence[str]]:
    """The values of --queue, --uid and --type of `pull` in the environment, else in the configuration."""
    table = app.config.table(("pull",))

    def chosen(name: str) -> Sequence[str]:
        named = app.environ.get(f"SMSRECEIPT_PULL_{name.upper()}", "").split() or table.get(name, [])
        return separated(*named) if name == "type" else named

    return chosen("queue"), app.environ.get("SMSRECEIPT_PULL_UID") or table.get("uid"), chosen("type")

"""Parameters of MNS requests: the query, bounded integers, and changes of queue attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from smsreceipt.sandbox.queues.queue import Attributes
from smsreceipt.sandbox.wire.mns import Refusal


def query_parameters(query: str) -> dict[str, str]:
    """Query parameters by lower-case name (the SDKs send both cases). Plus signs stay: receipt handles contain them."""
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return {name.lower(): unquote(value) if "%" in value else value for name, _equals, value in pairs}


def integer(values: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """An integer within its bounds; None when it is absent. Raises Refusal (InvalidArgument)."""
    text = values.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise Refusal(400, "InvalidArgument", f"The value of {name} must be between {least} and {most}.")
    return int(text)


def changed(attributes: Attributes, changes: Mapping[str, str]) -> Attributes:
    """*attributes* with *changes* by their XML names. Raises Refusal (InvalidArgument)."""
    bounds = {
        "VisibilityTimeout": ("visibility", 1, 43_200),
        "MaximumMessageSize": ("maximum_size", 1024, 65_536),
        "MessageRetentionPeriod": ("retention", 60, 604_800),
        "DelaySeconds": ("delay", 0, 604_800),
        "PollingWaitSeconds": ("polling_wait", 0, 30),
    }
    given = {
        field: value
        for name, (field, least, most) in bounds.items()
        if (value := integer(changes, name, least, most)) is not None
    }
    logging = changes.get("LoggingEnabled", str(attributes.logging)).lower() == "true"
    return replace(attributes, logging=logging, **given)

"""Options that several commands add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from smsreceipt.cli.options import option


def min_free_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --min-free, of the commands that receive."""
    from smsreceipt.cli.types import Size  # not for --help

    added = option(
        "--min-free", type=Size(), default="64MiB", show_default=True, help="Refuse to start with less disk free."
    )
    return added(command)


def limit_option(told: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add --limit, of the commands that list; *told* is its help."""
    return option("--limit", type=click.IntRange(1), metavar="N", help=told, example=100)

"""The program with a bug of the PostgreSQL store planted in it: `python -m tests.torture.postgres_planted BUG …`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from smsreceipt.cli.main import main
from smsreceipt.store.postgres.address import Address
from tests.torture.planted import BUGS


def shown_url() -> None:
    """Messages show the URL as it was given."""
    original: Callable[..., Any] = Address.parse
    patch.object(Address, "parse", lambda url: original(url)._replace(shown=url)).start()


if __name__ == "__main__":
    {**BUGS, "shown-url": shown_url}[sys.argv.pop(1)]()
    main()

"""smsreceipt gets every receipt of Alibaba Cloud SMS and number privacy into a store its user owns.

What programs use is exported here, and imported when it is first used: see docs/en/python.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smsreceipt.api.ledger import Ledger
    from smsreceipt.api.receiving import receive
    from smsreceipt.api.store import Store, open  # noqa: A004 - smsreceipt.open, as gzip.open
    from smsreceipt.api.values import Found, Receipt, Send
    from smsreceipt.errors import SmsReceiptError

__version__ = "0.2.0"
__all__ = ["Found", "Ledger", "Receipt", "Send", "SmsReceiptError", "Store", "__version__", "open", "receive"]

_PLACES = {
    "Found": "api.values",
    "Ledger": "api.ledger",
    "Receipt": "api.values",
    "Send": "api.values",
    "SmsReceiptError": "errors",
    "Store": "api.store",
    "open": "api.store",
    "receive": "api.receiving",
}


def __getattr__(name: str) -> object:
    """The public name, imported now."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)

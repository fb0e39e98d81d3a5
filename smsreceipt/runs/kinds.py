"""Message types that a user named and that may be a slip of the hand."""

from __future__ import annotations


def doubtful_kind(kind: str) -> str:
    """What to say of a message type that no table knows: it may be a slip. "" for a known one."""
    from difflib import get_close_matches

    from smsreceipt.decode import KINDS

    if kind in KINDS:
        return ""
    near = get_close_matches(kind, KINDS, 1, 0.8)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{kind} is no message type known here: kept whole, but not read{meant}"

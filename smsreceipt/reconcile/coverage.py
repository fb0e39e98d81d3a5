"""Whether a list of sends is complete, by the provider's total of billed parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from smsreceipt.store import ListedParts

MOST_PARTS = 10  #: of one message: the longest text that the provider takes has fewer


class Coverage(NamedTuple):
    """The provider's total beside a list."""

    unlisted: int  #: parts beyond the list, at least 0; a send of which the parts are not known counts as one
    certain: bool  #: there are such parts, however many parts the sends of unknown size have


def coverage(total: int, listed: Sequence[ListedParts], elsewhere: int = 0) -> Coverage:
    """Compare the provider's *total* with the parts of the listed sends.

    *elsewhere*: sends of other days that the provider may have filed under these days. A send of which the provider
    has no record is not in its total, so it never has more than the one part that it counts as.
    """
    least = sum(each.known + each.unknown for each in listed)
    open_sizes = sum(each.unknown - each.no_record for each in listed) + elsewhere
    most = sum(each.known + each.no_record for each in listed) + MOST_PARTS * open_sizes
    return Coverage(max(total - least, 0), total > most)

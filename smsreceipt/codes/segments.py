"""To which carrier a range of mainland mobile numbers was given, by its first three or four digits.

The table follows the numbering plan that the ministry (MIIT) publishes:
https://zh.wikisource.org/wiki/我国公众移动通信网网号及H₀分配情况（截至2023年3月底）
It knows nothing of a number that was ported: such a number stays with the carrier that its range was given to.
"""

from __future__ import annotations

import zlib
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from smsreceipt.codes import rows

_LENGTHS = (
    7,
    11,
    13,
)  # of a prefix as tallies keep it, of a number, of a number of the Internet of things (140 to 144)


class Carrier(StrEnum):
    """To whom a range of numbers was given."""

    MOBILE = "mobile"
    UNICOM = "unicom"
    TELECOM = "telecom"
    BROADNET = "broadnet"
    MVNO = "mvno"  #: a virtual operator, which sells service on the network of another carrier
    UNKNOWN = "unknown"  #: no range of the mainland: a number of another country, or one that is not in the plan


#: The carriers as people call them, in English and in Chinese.
CARRIERS = {
    Carrier.MOBILE: ("China Mobile", "中国移动"),
    Carrier.UNICOM: ("China Unicom", "中国联通"),
    Carrier.TELECOM: ("China Telecom", "中国电信"),
    Carrier.BROADNET: ("China Broadnet", "中国广电"),
    Carrier.MVNO: ("MVNO", "虚拟运营商"),
    Carrier.UNKNOWN: ("unknown", "未知"),
}


class Segment(NamedTuple):
    """A range of numbers."""

    digits: str  #: that its numbers begin with: three, or four where the carrier depends on the fourth
    carrier: Carrier
    network: Carrier  #: the carrier whose network serves it; another one only for virtual operators
    use: str  #: phone, things (machines and data cards) or satellite


def carrier(digits: str) -> Carrier:
    """The carrier of a number in its normal form, or of its first seven digits."""
    found = segment(digits)
    return found.carrier if found else Carrier.UNKNOWN


def segment(digits: str) -> Segment | None:
    """The range of a number in its normal form, or of its first seven digits; None where it is in no range.

    Some numbers of the USA (area codes from 310 on, after the 1 of their country) look like numbers of the mainland.
    """
    if len(digits) not in _LENGTHS:
        return None
    table = _segments()
    return table.get(digits[:4]) or table.get(digits[:3])


@cache
def version() -> str:
    """A text that changes when the table does."""
    return f"{zlib.crc32(repr(_segments()).encode()):08x}"


@cache
def _segments() -> dict[str, Segment]:
    return {
        row["segment"]: Segment(row["segment"], Carrier(row["carrier"]), Carrier(row["network"]), row["use"])
        for row in rows("segments.tsv")
    }

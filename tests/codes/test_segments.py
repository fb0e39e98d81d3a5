"""Ranges of numbers belong to the carrier that the numbering plan gives them to."""

import struct
from collections import Counter

import pytest

from smsreceipt.codes import regions, rows
from smsreceipt.codes.segments import CARRIERS, Carrier, carrier, segment

TYPES = {
    1: Carrier.MOBILE,
    2: Carrier.UNICOM,
    3: Carrier.TELECOM,
    4: Carrier.TELECOM,
    5: Carrier.UNICOM,
    6: Carrier.MOBILE,
    7: Carrier.BROADNET,
}
#: Ranges that the data of the package take for those of China Mobile's virtual operators: they are a satellite's.
SATELLITE = "1349"


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("13800138000", Carrier.MOBILE),
        ("13012345678", Carrier.UNICOM),
        ("19912345678", Carrier.TELECOM),
        ("19212345678", Carrier.BROADNET),
        ("16212345678", Carrier.MVNO),
        ("17012345678", Carrier.MVNO),
        ("17112345678", Carrier.MVNO),
        ("13491234567", Carrier.TELECOM),
        ("13481234567", Carrier.MOBILE),
        ("17401234567", Carrier.TELECOM),
        ("17481234567", Carrier.UNKNOWN),
        ("1440123456789", Carrier.MOBILE),
        ("1921234", Carrier.BROADNET),
        ("12125551234", Carrier.UNKNOWN),
        ("85261234567", Carrier.UNKNOWN),
        ("4915123456789", Carrier.UNKNOWN),
        ("138001380001", Carrier.UNKNOWN),
        ("10086", Carrier.UNKNOWN),
        ("", Carrier.UNKNOWN),
    ],
)
def test_the_carrier_of_a_number(number: str, found: Carrier) -> None:
    assert carrier(number) is found


@pytest.mark.parametrize(("digits", "network"), [("1700", "telecom"), ("1703", "mobile"), ("1708", "unicom"),
                                                 ("162", "telecom"), ("165", "mobile"), ("167", "unicom")])  # fmt: skip
def test_a_virtual_operator_has_a_host_network(digits: str, network: str) -> None:
    found = segment(digits.ljust(11, "1"))
    assert found is not None
    assert (found.carrier, found.network) == ("mvno", network)


def test_only_virtual_operators_use_the_network_of_another() -> None:
    for row in rows("segments.tsv"):
        assert (row["carrier"] == row["network"]) is (row["carrier"] != "mvno")
        assert row["use"] in {"phone", "things", "satellite"}
        assert row["network"] != "mvno"
    assert set(CARRIERS) == set(Carrier)


def test_the_table_agrees_with_the_data_of_the_package_on_the_network() -> None:
    source = regions.installed()
    assert source is not None
    content = source.read_bytes()
    begin = struct.unpack_from("<4si", content)[1]
    other: Counter[str] = Counter()
    for prefix, _record, kind in struct.iter_unpack("<iiB", content[begin:]):
        found = segment(str(prefix))
        if not str(prefix).startswith(SATELLITE) and (found is None or found.network is not TYPES[kind]):
            other[str(prefix)[:3]] += 1
    # Some ranges of virtual operators moved to another host, and some ranges are not in the numbering plan.
    assert other.total() < 1_100, other
    assert max(other.values()) < 320, other

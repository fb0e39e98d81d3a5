"""Carrier and province of number ranges, as the figures of messages ask for them."""

from __future__ import annotations

import zlib

from smsreceipt.app import App
from smsreceipt.codes import regions, segments
from smsreceipt.config import cache_directory, expanded


class Places:
    """The place of a number: its carrier by the table of segments, its province by a phone.dat where there is one."""

    def __init__(self, found: regions.Regions | None) -> None:
        self._regions = found
        issued = f"{found.version}-{zlib.crc32(found.table):08x}" if found else ""
        self.version = f"{issued}-{segments.version()}"  # provinces, and newer ones, go before none

    @property
    def has_provinces(self) -> bool:
        """Whether any province is known."""
        return self._regions is not None

    def __call__(self, phone: str) -> tuple[str, str]:
        """Carrier and province, both as their English keys; of a number of the mainland 7 digits are enough."""
        province = self._regions.province(phone) if self._regions else regions.UNKNOWN
        return segments.carrier(phone).value, province


def places(app: App, prefixes: str | None = None) -> Places:
    """The places by the file *prefixes*, else by `[stats] prefixes`, else by the installed package `phone`.

    Raises UsageError if a file that is named cannot be used.
    """
    named = prefixes or app.config.table(("stats",)).get("prefixes")
    source = expanded(str(named)) if named else regions.installed()
    return Places(regions.load(source, cache_directory()) if source else None)

"""In which province a range of mainland mobile numbers was issued, by the first seven digits.

The source is a file in the common format phone.dat, which the package `phone` (the extra `regions`) brings and which is
published more often than the package. From it a table of one byte per prefix is built once and kept in a cache file.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from smsreceipt.codes import rows
from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.permissions import unusable

UNKNOWN = "unknown"  #: the province of a number that the table does not have
_FIRST, _PREFIXES = 1_300_000, 700_000  # of seven digits: 1300000 to 1999999
_HEAD, _ENTRY = struct.Struct("<4si"), struct.Struct("<iiB")  # version, where the entries begin; prefix, record, type
_MOST_BYTES = 64 << 20  # of a phone.dat; the one of 2023 has 4.5 MB
_MAGIC = b"smsreceipt regions 1\n"


@dataclass(frozen=True, slots=True)
class Regions:
    """The provinces of number ranges."""

    version: str  #: of the data: year and month, such as 2312
    provinces: tuple[str, ...]  #: English names; the first one is UNKNOWN
    table: bytes  #: for each prefix from 1300000 on, the index of its province

    def province(self, digits: str) -> str:
        """The English name of the province of a number in its normal form, or of its first seven digits."""
        if len(digits) != 11 and len(digits) != 7:
            return UNKNOWN
        try:
            at = int(digits[:7]) - _FIRST
        except ValueError:
            return UNKNOWN
        return self.provinces[self.table[at]] if 0 <= at < _PREFIXES else UNKNOWN


@cache
def chinese_names() -> dict[str, str]:
    """The Chinese name of each province by its English name."""
    return {row["en"]: row["zh"] for row in rows("provinces.tsv")} | {UNKNOWN: "未知"}


def installed() -> Path | None:
    """The file that the package `phone` brings; None where it is not installed. The package is not imported."""
    from importlib.util import find_spec

    spec = find_spec("phone")
    found = Path(spec.origin).with_name("phone.dat") if spec and spec.origin else None
    return found if found and found.is_file() else None


def load(source: Path, cache: Path | None = None) -> Regions:
    """The provinces by the file *source*, in the format phone.dat.

    *cache*: the folder for the table that is built from it, which is made again when *source* changes; a folder that
    cannot be used is ignored. Raises UsageError if *source* cannot be read, or is not such a file.
    """
    try:
        facts = source.stat()
        stamp = [facts.st_size, facts.st_mtime_ns]
        kept = cache / f"regions-{sha256(os.fsencode(source.resolve())).hexdigest()[:12]}.bin" if cache else None
        if kept and (found := _read_cache(kept, stamp)):
            return found
        with source.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as exc:
        raise unusable(f"{source}", exc, source) from exc
    built = parse(content, source)
    if kept:
        with contextlib.suppress(OSError):
            _write_cache(kept, stamp, built)
    return built


def parse(content: bytes, source: Path) -> Regions:
    """The provinces in the content of a phone.dat. Raises UsageError, which names *source*, if it is no such file."""
    if len(content) > _MOST_BYTES:
        raise _broken(source, _("it is larger than {size:,} bytes", size=_MOST_BYTES))
    if len(content) < _HEAD.size:
        raise _broken(source, _("it is shorter than its head"))
    version, begin = _HEAD.unpack_from(content)
    entries = len(content) - begin
    if not version.isdigit() or not _HEAD.size <= begin < len(content):
        raise _broken(source, _("its head has no version and no place of the index"))
    if entries % _ENTRY.size:
        raise _broken(source, _("its index ends in the middle of an entry: {size:,} bytes", size=entries))
    table, codes = bytearray(_PREFIXES), {UNKNOWN: 0}
    records: dict[int, int] = {}
    for prefix, offset, _type in _ENTRY.iter_unpack(memoryview(content)[begin:]):
        code = records.get(offset)
        if code is None:
            name = _province(content, offset, begin, source)
            code = records[offset] = codes.setdefault(name, len(codes))
            if code > 0xFF:
                raise _broken(source, _("it has more than 255 provinces"))
        if not 0 <= prefix - _FIRST < _PREFIXES:
            raise _broken(source, _("its index has {prefix}, which is no range of mobile numbers", prefix=prefix))
        table[prefix - _FIRST] = code
    return Regions(version.decode(), tuple(codes), bytes(table))


def _province(content: bytes, offset: int, end: int, source: Path) -> str:
    """The English name of the province of one record, PROVINCE|CITY|ZIP|AREA; an unknown name stays as it is."""
    stop = content.find(b"\0", offset, end) if _HEAD.size <= offset < end else -1
    try:
        name, *rest = content[offset : max(stop, offset)].decode().split("|")
    except UnicodeDecodeError:
        rest = []
    if stop < 0 or len(rest) != 3:
        raise _broken(source, _("there is no record at byte {offset:,}", offset=offset))
    known = ((english, chinese) for english, chinese in chinese_names().items() if name.startswith(chinese))
    return next((english for english, _chinese in known), name or UNKNOWN)


def _broken(source: Path, why: str) -> UsageError:
    return UsageError(
        _("{file} is no phone.dat: {reason}", file=source, reason=why),
        hint=_("Download it again, or leave out `prefixes`: then the installed package `phone` is used."),
    )


def _read_cache(path: Path, stamp: list[int]) -> Regions | None:
    """What was built from a source with this size and time of change; None where that must be done (again)."""
    try:
        content = path.read_bytes()
        head, _, packed = content.removeprefix(_MAGIC).partition(b"\n")
        facts = json.loads(head)
        table = zlib.decompressobj().decompress(packed, _PREFIXES + 1)
        found = Regions(facts["version"], tuple(facts["provinces"]), table)
        whole = content.startswith(_MAGIC) and facts["stamp"] == stamp and facts["check"] == zlib.crc32(table)
    except (OSError, ValueError, KeyError, TypeError, zlib.error):
        return None
    return found if whole and len(table) == _PREFIXES else None


def _write_cache(path: Path, stamp: list[int], regions: Regions) -> None:
    """Write the cache file, readable by its owner only, under another name and rename it. Raises OSError."""
    import tempfile

    facts = {
        "version": regions.version,
        "provinces": regions.provinces,
        "stamp": stamp,
        "check": zlib.crc32(regions.table),
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:  # mode 0600
        try:
            file.write(_MAGIC + json.dumps(facts).encode() + b"\n" + zlib.compress(regions.table))
            file.close()
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise

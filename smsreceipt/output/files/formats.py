"""The formats of exported files, and what a writer of one promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from pathlib import PurePath
from typing import Protocol, TypeVar

from smsreceipt.errors import UsageError
from smsreceipt.extras import install_command
from smsreceipt.language import _

T_contra = TypeVar("T_contra", contravariant=True)


class Format(StrEnum):
    """The format of an exported file, by its name on the command line."""

    NDJSON = "ndjson"  #: a JSON object a line, as --json prints it
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"

    @property
    def streams(self) -> bool:
        """Whether it can be written to a pipe."""
        return self in (Format.NDJSON, Format.CSV)


#: What a file's name may end with, and its format.
ENDINGS = {".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON, ".csv": Format.CSV, ".xlsx": Format.XLSX}
ENDINGS |= {".parquet": Format.PARQUET}
#: The package and the extra that a format needs.
_NEEDS = {Format.XLSX: ("xlsxwriter", "xlsx"), Format.PARQUET: ("pyarrow", "parquet")}


def format_of(name: str) -> Format | None:
    """The format that the name of a file tells; None where it tells none."""
    return ENDINGS.get(PurePath(name).suffix.lower())


def require(wanted: Format) -> None:
    """Raise UsageError if the package that writes this format is not installed."""
    package, extra = _NEEDS.get(wanted, ("", ""))
    if package and find_spec(package) is None:
        raise UsageError(
            _("{format} files need {package}, which is not installed", format=wanted, package=package),
            hint=_("Install it: {command}. ndjson and csv need nothing.", command=install_command(extra)),
        )


@dataclass(frozen=True, slots=True)
class About:
    """What is told about an export, for formats that have a place for it."""

    subject: str  #: what the rows are: "receipts"
    facts: Mapping[str, str] = field(default_factory=dict)  #: such as the time of the export and its filters


class Writer(Protocol[T_contra]):
    """Writes one file. Methods raise OSError; what was written is of no use before close() returns."""

    @property
    def shortened(self) -> int:
        """How many cells were cut, because the format has a limit for them."""

    def write(self, rows: Sequence[T_contra]) -> None:
        """Write these rows."""

    def close(self) -> None:
        """Write the rest. The stream stays open."""

    def abandon(self) -> None:
        """Release what the writer holds, instead of close()."""

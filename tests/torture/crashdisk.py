"""A disk that remembers what was flushed: an SQLite VFS that notes every write, and what a power cut leaves of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512
_JOURNALS = ("-wal", "-journal")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to the disk."""

    act: str  #: create, write, truncate, sync, delete
    file: str
    at: int = 0
    data: bytes = b""


@dataclass
class _File:
    """What is flushed of a file, and what is only in the cache."""

    flushed: bytearray = field(default_factory=bytearray)
    named: bool = False  #: its name is safe in the directory
    waiting: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        for step in self.waiting:
            _apply(self.flushed, step)
        self.waiting.clear()

    def after_cut(self, dice: random.Random, kept: float) -> bytes:
        """The flushed bytes, and of what waited a random part, sector by sector, in any order."""
        image = bytearray(self.flushed)
        for step in self.waiting:
            if step.act == "truncate":
                if dice.random() < kept:
                    _apply(image, step)
                continue
            for first in range(0, len(step.data), SECTOR):
                if dice.random() < kept:
                    part = step.data[first : first + SECTOR]
                    _apply(image, Step("write", step.file, step.at + first, part))
        return bytes(image)


def _apply(image: bytearray, step: Step) -> None:
    if step.act == "truncate":
        del image[step.at :]
        return
    if len(image) < step.at:
        image.extend(bytes(step.at - len(image)))
    image[step.at : step.at + len(step.data)] = step.data


class Disk:
    """The state of the disk as steps are played, and what is found on it after a cut."""

    def __init__(self, *, lying: bool = False) -> None:
        """*lying*: it says that it flushed, and did not."""
        self._files: dict[str, _File] = {}
        self._ghosts: dict[str, _File] = {}  # deleted, but the directory does not know it for sure
        self._lying = lying

    def play(self, step: Step) -> None:
        if step.act == "create":
            self._files.setdefault(step.file, _File())
        elif step.act == "delete":
            gone = self._files.pop(step.file, None)
            if gone is not None and gone.named:
                self._ghosts[step.file] = gone
        elif step.act != "sync":
            self._files[step.file].waiting.append(step)
        elif not self._lying:
            file = self._files[step.file]
            file.sync()
            if step.file.endswith(_JOURNALS) and not file.named:
                self._sync_directory()

    def _sync_directory(self) -> None:
        """SQLite flushes the directory with the first flush of a new journal: what is there stays, what is gone is."""
        self._ghosts.clear()
        for file in self._files.values():
            file.named = True

    def cut(self, folder: Path, dice: random.Random) -> None:
        """Write what a power cut now would leave into *folder*. The -shm never survives."""
        kept = dice.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for name, file in {**self._ghosts, **self._files}.items():
            if name in self._files and not file.named and dice.random() > kept:
                continue
            if name not in self._files and dice.random() < kept:
                continue
            (folder / name).write_bytes(file.after_cut(dice, kept))


class Recorder(apsw.VFS):
    """The system's own file access, with a log of everything that changes a file that matters."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[Step] = []
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _Recorded:  # noqa: N802 - SQLite's
        return _Recorded(self.log, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self.log.append(Step("delete", Path(filename).name))


class _Recorded(apsw.VFSFile):
    def __init__(self, log: list[Step], name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._log = log
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._file = Path(path).name if path else ""
        super().__init__("", name, flags)
        if self._file:
            self._log.append(Step("create", self._file))

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        if self._file:
            self._log.append(Step("write", self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        if self._file:
            self._log.append(Step("truncate", self._file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        if self._file:
            self._log.append(Step("sync", self._file))

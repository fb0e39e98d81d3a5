"""What is about a person in files beside the store: recordings of calls, and sends that programs have noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from smsreceipt.app import App
from smsreceipt.folders import flush_folder
from smsreceipt.ingest import LockRetry
from smsreceipt.language import _, of_system
from smsreceipt.ledger import entries
from smsreceipt.model import Send, date_of
from smsreceipt.runs import noted, recordings
from smsreceipt.store import Query, Store
from smsreceipt.store.removal import Whole

_TRIES, _PAUSE = 25, 0.2  # looks at what running programs have noted, and seconds between two


class _Fetched(msgspec.Struct):
    file: str = ""


class Recordings:
    """Finds and deletes the recordings of calls that are to be forgotten."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._notes: Callable[[str], Mapping[str, str]] = store.notes
        self._names: dict[int, set[str]] = {}  # of notes, by seq
        self.deleted: set[str] = set()  #: files
        self.absent: set[str] = set()  #: files that were not where they had been fetched to
        self.refused: dict[str, str] = {}  #: files that could not be deleted, and why

    def look_at(self, wholes: Iterable[Whole]) -> None:
        """Read what is stored and noted about these calls now; the other methods take them from here."""
        self._notes = cache(self._store.notes)
        seqs = [seq for whole in wholes if any(each.call_id for each in whole.statements) for seq in whole.seqs]
        self._names = {seq: set() for seq in seqs}
        for each in self._store.list(Query(seqs=seqs, history=True)) if seqs else ():
            if each.seq:
                self._names[each.seq] |= {*recordings.names_of(each.receipt)}

    def notes(self, whole: Whole) -> dict[str, dict[str, str]]:
        """The notes about the recordings of a call, by topic and name."""
        names = set[str]().union(*(self._names.get(seq, ()) for seq in whole.seqs))
        if not names:
            return {}
        days = {each.day + more for each in whole.statements for more in (-1, 0, 1)}  # a call may begin before midnight
        found: dict[str, dict[str, str]] = {}
        for topic in (f"{recordings.TOPIC}{date_of(day).isoformat()}" for day in days):
            known = self._notes(topic)
            if of_call := {name: known[name] for name in names if name in known}:
                found[topic] = of_call
        return found

    def there(self, whole: Whole) -> set[str]:
        """The files of a call that would be deleted."""
        files = {_file(text) for notes in self.notes(whole).values() for text in notes.values()}
        return {file for file in files if file and Path(file).exists()}

    def delete(self, notes: Mapping[str, Mapping[str, str]]) -> bool:
        """Delete the files of these notes for good; False if one is still there. After a crash it is done again."""
        files = {_file(text) for texts in notes.values() for text in texts.values()} - {""}
        return not [file for file in sorted(files - self.deleted) if not self._is_gone(Path(file))]

    def _is_gone(self, file: Path) -> bool:
        try:
            file.unlink()
            flush_folder(file.parent)
        except (FileNotFoundError, NotADirectoryError):
            self.absent.add(str(file))
        except OSError as exc:
            self.refused[str(file)] = of_system(exc) if exc.strerror else _("it cannot be deleted")
            return False
        else:
            self.deleted.add(str(file))
        self.refused.pop(str(file), None)
        return True


def _file(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=_Fetched).file
    except msgspec.MsgspecError:
        return ""


def noted_sends(app: App, carries: Callable[[Send], bool]) -> Iterator[Send]:
    """Yield what programs have noted that is not in the store yet, as far as it carries what is looked for."""
    for path in _files(app):
        yield from _sends(path, carries)


def bring_in(app: App, store: Store, carries: Callable[[Send], bool]) -> list[Path]:
    """Bring what programs have noted into the store; return the files of those that have not done so with theirs.

    A program that runs brings its own file in about a second after it noted something.
    """
    retry = LockRetry(app.say)
    waiting = [path for path in _files(app) if any(_sends(path, carries))]
    for left in reversed(range(_TRIES)):
        for path in noted.abandoned(noted.folder_of(app)):
            noted.store_file(app, path, store, retry)
        waiting = [path for path in waiting if path.exists()]
        if not waiting:
            break
        if left:
            app.sleep(_PAUSE)
    return waiting


def _files(app: App) -> list[Path]:
    return sorted(noted.folder_of(app).glob("*.ndjson"))


def _sends(path: Path, carries: Callable[[Send], bool]) -> Iterator[Send]:
    try:
        with path.open("rb") as file:
            yield from (each for each in entries(file) if isinstance(each, Send) and carries(each))
    except FileNotFoundError:  # it has just been brought in
        return

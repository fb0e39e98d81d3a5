"""A store in one SQLite file, before it is opened. Imports no database driver: most commands ask before they open."""

from __future__ import annotations

import contextlib
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.store.promise import Reread, Store
from smsreceipt.store.sqlite import files


class SqliteFile:
    """The file at *path*, which need not exist yet."""

    has_password = False
    is_server = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = str(path)

    def exists(self) -> bool:
        """Whether the file was ever written to."""
        from smsreceipt.store.sqlite.connect import schema_of

        self._refuse_irregular()
        return schema_of(self._path) > 0

    def open(self, *, readonly: bool, reread: Reread, lock_wait: float) -> Store:
        """Open the file. Raises UsageError where *path* leads to something that is no regular file."""
        from smsreceipt.store.sqlite.store import open_reader, open_store

        self._refuse_irregular()
        if readonly:
            return open_reader(self._path, reread=reread)
        return open_store(self._path, reread=reread, lock_wait=lock_wait)

    def upgrade(self, *, reread: Reread) -> tuple[int, int]:
        """Open the file for writing, which takes every step to the newest schema."""
        from smsreceipt.store.sqlite.connect import schema_of
        from smsreceipt.store.sqlite.migrations import SCHEMA
        from smsreceipt.store.sqlite.store import open_store

        self._refuse_irregular()
        before = schema_of(self._path)
        open_store(self._path, reread=reread).close()
        return before, SCHEMA

    def free_bytes(self) -> int:
        """How many more bytes the disk under the file takes."""
        return files.free_bytes(self._path)

    def secret_file(self) -> Path:
        """Beside the store."""
        return self._path.with_suffix(".secret")

    def refuse_unwritable(self) -> None:
        """Raise StoreUnavailable where rights, the media or the file system forbid writing."""
        files.refuse_unwritable(self._path)

    def refuse_folder(self) -> None:
        """Raise UsageError where the path is that of a folder."""
        with contextlib.suppress(OSError):  # opening the file reports an unreadable path better
            if self._path.is_dir():
                raise UsageError(
                    _("the store {store} is a directory", store=self._path),
                    hint=_("Name a file in it: {file}", file=self._path / "receipts.db"),
                )

    def exposed(self) -> str:
        """The file, or one beside it, if its mode lets others read it."""
        return files.exposed(self._path)

    def occupies(self, path: Path) -> bool:
        """Whether *path* is another name of the file."""
        return path.exists() and self._path.exists() and path.samefile(self._path)

    def _refuse_irregular(self) -> None:
        path = self._path
        self.refuse_folder()
        with contextlib.suppress(OSError):
            if path.is_symlink() and not path.exists():
                raise UsageError(
                    _(
                        "the store {store} is a symbolic link to {target}, which is not there",
                        store=path,
                        target=path.readlink(),
                    ),
                    hint=_("Is its disk mounted? For a new store, name the file itself or remove the link."),
                )
            if path.exists() and not path.is_file():
                raise UsageError(_("the store {store} is not a regular file", store=path))

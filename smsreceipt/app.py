"""Everything a command gets from outside, as one value: environment, streams, clock, store. Tests pass their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from smsreceipt.config import Config
from smsreceipt.errors import OutputError, StoreLocked, UsageError
from smsreceipt.exits import ReaderGone
from smsreceipt.model import Instant, Kind, Receipt
from smsreceipt.output.look import Look
from smsreceipt.output.safe import safe
from smsreceipt.settings import Settings
from smsreceipt.store import LOCK_WAIT, Store, opening
from smsreceipt.streams import discard

if TYPE_CHECKING:
    from smsreceipt.output.terminal.progress import Progress


def _clock() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


def _data_directory() -> Path:
    import platformdirs

    return platformdirs.user_data_path("smsreceipt", appauthor=False)


def _reread(kind: Kind, body: bytes) -> Receipt | None:
    from smsreceipt.decode import reread

    return reread(kind, body)


def _open_store(location: str, readonly: bool, lock_wait: float) -> Store:
    return opening.open_store(location, readonly=readonly, reread=_reread, lock_wait=lock_wait)


@dataclass(eq=False)
class App:
    """The seams, and what the options made of them. A command reads it; only the frame changes it."""

    environ: Mapping[str, str] = field(repr=False)  # it holds the key
    home: Path
    stdin: BinaryIO | None = field(repr=False)
    stdout: BinaryIO | None = field(repr=False)  #: None: closed before we started
    stderr: TextIO | None = field(repr=False)
    stdin_is_tty: bool = False
    stdout_is_tty: bool = False
    stderr_is_tty: bool = False
    encoding: str = "utf-8"  #: of a terminal on stdout; json and csv are UTF-8 whatever it is
    columns: int | None = None  #: None: ask the terminal
    now: Callable[[], Instant] = _clock
    sleep: Callable[[float], None] = time.sleep
    opener: Callable[[str, bool, float], Store] = _open_store  #: by location, readonly, and lock_wait in seconds
    data_directory: Callable[[], Path] = _data_directory
    config: Config = field(default_factory=Config)
    settings: Settings = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)  #: reasons to end with a number, though the command went through
    _output_fault: Exception | None = None

    @classmethod
    def of_process(cls) -> App:
        """The seams of this process."""
        out, err = sys.stdout, sys.stderr
        return cls(
            environ=os.environ,
            home=Path("~").expanduser(),
            stdin=None if sys.stdin is None else sys.stdin.buffer,
            stdout=None if out is None else out.buffer,
            stderr=err,
            stdin_is_tty=sys.stdin is not None and sys.stdin.isatty(),
            stdout_is_tty=out is not None and out.isatty(),
            stderr_is_tty=err is not None and err.isatty(),
            encoding=(out.encoding if out is not None else "") or "utf-8",
        )

    def settle(self, settings: Settings, config: Config) -> None:
        """Take what options, environment and file say. Called by the frame before the command runs."""
        self.settings, self.config = settings, config
        self.codes.clear()
        self._output_fault = None

    def setting(self, name: str) -> Any:
        """The value of a common option (store, profile, output, mask, verbose, …); None where nobody set it."""
        found = self.settings.get(name)
        return None if found is None else found.value

    @property
    def output(self) -> str:
        """table, json or csv."""
        return self.setting("output") or ("table" if self.stdout_is_tty else "json")

    @property
    def mask(self) -> bool:
        """Whether numbers and texts of people are masked: in tables unless --reveal, else only with --mask."""
        said = self.setting("mask")
        return said == "mask" if said else self.output == "table"

    @property
    def profile(self) -> str | None:
        """The credentials profile asked for."""
        return self.setting("profile") or None

    @property
    def explicit_profile(self) -> str | None:
        """The profile, unless only ALIBABA_CLOUD_PROFILE names it: keys in the environment beat that one."""
        said = self.settings.get("profile")
        if said is not None and said.origin == "environment" and not self.environ.get("SMSRECEIPT_PROFILE"):
            return None
        return self.profile

    @property
    def verbosity(self) -> int:
        """0, 1 with -v, 2 with -vv …; -1 with -q."""
        return -1 if self.setting("quiet") else int(self.setting("verbose") or 0)

    @property
    def insecure_http(self) -> bool:
        """Whether endpoints beyond loopback may be spoken to without TLS."""
        return bool(self.setting("insecure-http"))

    @property
    def width(self) -> int:
        """Columns to draw in: those of the terminal, of COLUMNS, or 80."""
        return self.columns or shutil.get_terminal_size().columns

    @property
    def chinese(self) -> bool:
        """Whether the user's language is Chinese, by LC_ALL, LC_MESSAGES, LANG."""
        said = next((self.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if self.environ.get(name)), "")
        return said.lower().startswith("zh")

    def color(self, *, stderr: bool = False) -> bool:
        """Whether the stream takes colours."""
        terminal = self.stderr_is_tty if stderr else self.stdout_is_tty
        plain = self.setting("no-color") or self.environ.get("NO_COLOR") or self.environ.get("TERM") == "dumb"
        return terminal and not plain

    def endpoint(self, name: str) -> str | None:
        """Where mns, dybaseapi or dysmsapi is: SMSRECEIPT_<NAME>_ENDPOINT, else the file; None: the provider's own."""
        return self.environ.get(f"SMSRECEIPT_{name.upper()}_ENDPOINT") or self.config.endpoints.get(name)

    @property
    def store_location(self) -> str:
        """Where the store is: a path or a URL. Raises UsageError for a URL that no engine opens."""
        named = self.setting("store")
        if not named:
            return str(self.data_directory() / "smsreceipt.db")
        return opening.checked(str(self.home / named[2:]) if named.startswith("~/") else named)

    @contextlib.contextmanager
    def open_store(self, *, readonly: bool, lock_wait: float = LOCK_WAIT, backfill: bool = True) -> Iterator[Store]:
        """The store, to be used in a with statement. For readers, one that does not exist yet is an empty one.

        *lock_wait*: seconds that each write waits for another process. *backfill*: a writer first fills the fields that
        receipts of an older version lack, which may take minutes once.
        Raises UsageError where its location leads to something that cannot be a store.
        """
        with contextlib.closing(self.opener(self.store_location, readonly, lock_wait)) as store:
            if backfill and not readonly:
                self._backfill(store)
            yield store

    def _backfill(self, store: Store) -> None:
        with contextlib.ExitStack() as stack:
            lines: list[Progress] = []

            def show(done: int, total: int) -> None:
                if not lines:
                    lines.append(stack.enter_context(self.progress()))
                lines[0].upgraded(done, total)

            with contextlib.suppress(StoreLocked):  # another process is writing: the next command goes on with it
                store.backfill(show)

    def need_stdout(self) -> None:
        """Raise UsageError when there is no standard output to print on."""
        if self.stdout is None:
            raise UsageError("standard output is closed, and this command does nothing but print")

    def write(self, data: bytes) -> None:
        """Print lines. Raises ReaderGone when nobody reads them any more, OutputError when they cannot be written."""
        if self.stdout is None:
            return
        try:
            self.stdout.write(data)
        except BrokenPipeError as exc:
            raise ReaderGone from exc
        except OSError as exc:
            raise OutputError(f"standard output: {exc.strerror}") from exc

    def encode(self, text: str) -> bytes:
        """What the view drew in the terminal's encoding; characters it lacks become escapes."""
        return text.encode(self.encoding, "backslashreplace")

    def flush(self) -> None:
        """Hand over what was printed so far; raises as write does."""
        if self.stdout is None:
            return
        try:
            self.stdout.flush()
        except (BrokenPipeError, OSError) as exc:
            self._abandon()
            if isinstance(exc, BrokenPipeError):
                raise ReaderGone from exc
            raise OutputError(f"standard output: {exc.strerror}") from exc

    def report(self, data: bytes) -> None:
        """Print lines now, for commands whose work matters more than their report: never raises for the output.

        The first failure is said once; the exit code at the end tells of it (141 or 6) where nothing worse happened.
        """
        if self._output_fault is not None:
            return
        try:
            self.write(data)
            self.flush()
        except ReaderGone as exc:
            self._output_fault = exc
            self.codes.append(141)
            self.say("nobody reads standard output any more: going on without it")
            self._abandon()
        except OutputError as exc:
            self._output_fault = exc
            self.codes.append(exc.exit_code)
            self.error(exc)
            self._abandon()

    def _abandon(self) -> None:
        """Nothing more goes there: Python itself would flush at exit, fail, and say so."""
        stream, self.stdout = self.stdout, None
        discard(stream)

    def say(self, text: str, *, verbosity: int = 0) -> None:
        """One line of talk; not with -q, and not when it takes more -v than were given."""
        if self.verbosity >= verbosity:
            self._err(text)

    def warn(self, text: str) -> None:
        """A line the user should see even with -q."""
        self._err(f"warning: {text}")

    def error(self, exc: Exception) -> None:
        """An error that does not end the run at once."""
        self._err(f"error: {exc}")

    def summary(self, pairs: Iterable[tuple[str, object]]) -> None:
        """The last line of standard error: name=value, separated by blanks; not with -q."""
        self.say(" ".join(f"{name}={value}" for name, value in pairs))

    def attention(self, code: int = 3) -> None:
        """End with this number, or with that of something worse."""
        self.codes.append(code)

    def _err(self, text: str) -> None:
        if self.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                self.stderr.write(safe(text) + "\n")
                self.stderr.flush()

    def look(self) -> Look:
        """For whom the view draws on standard output."""
        return Look(
            width=self.width,
            color=self.color(),
            chinese=self.chinese,
            mask=self.mask,
            unicode=self.encoding.lower().replace("-", "").startswith("utf"),
            now=self.now(),
        )

    def progress(self) -> Progress:
        """A live line on a terminal's standard error; one that draws nothing elsewhere, and with -q."""
        from smsreceipt.output.terminal.progress import Progress

        dumb = self.environ.get("TERM") == "dumb"
        lively = self.stderr_is_tty and self.verbosity >= 0 and not dumb
        return Progress(self.stderr if lively else None, width=self.width, chinese=self.chinese)

"""The App: what a command uses from outside (environment, streams, clock, store) and its settings."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from smsreceipt import waiting
from smsreceipt.config import Config, home_directory, store_directory
from smsreceipt.errors import OutputError, StoreLocked, UsageError
from smsreceipt.exits import ReaderGone
from smsreceipt.language import _, is_chinese, of_system
from smsreceipt.model import Instant, Kind, Receipt
from smsreceipt.output.log import labelled, log_line
from smsreceipt.output.safe import safe
from smsreceipt.permissions import unusable
from smsreceipt.settings import LOG_JSON, Settings
from smsreceipt.store import LOCK_WAIT, Store, opening
from smsreceipt.streams import discard

if TYPE_CHECKING:
    from smsreceipt.output.display import Display
    from smsreceipt.output.terminal.progress import LiveLine, Progress


def _clock() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


def _reread(kind: Kind, body: bytes) -> Receipt | None:
    from smsreceipt.decode import reread

    return reread(kind, body)


def _open_store(location: str, readonly: bool, lock_wait: float, insecure: bool) -> Store:
    return opening.open_store(location, readonly=readonly, reread=_reread, lock_wait=lock_wait, insecure=insecure)


@dataclass(eq=False)
class App:
    """The environment of one command and its settings; tests pass streams, clock and store of their own."""

    environ: Mapping[str, str] = field(repr=False)  # it may contain the AccessKey
    home: Path
    stdin: BinaryIO | None = field(repr=False)
    stdout: BinaryIO | None = field(repr=False)  #: None: closed when the process started, or discarded after a failure
    stderr: TextIO | None = field(repr=False)
    stdin_is_tty: bool = False
    stdout_is_tty: bool = False
    stderr_is_tty: bool = False
    encoding: str = "utf-8"  #: of tables; json and csv are always UTF-8
    columns: int | None = None  #: width of tables; None: that of the terminal
    now: Callable[[], Instant] = _clock
    sleep: Callable[[float], None] = waiting.sleep
    #: By location, readonly, lock_wait in seconds, and whether a database may be reached without TLS.
    opener: Callable[[str, bool, float, bool], Store] = _open_store
    data_directory: Callable[[], Path] = store_directory
    config: Config = field(default_factory=Config, repr=False)  # a proxy in it may have a password
    config_fault: UsageError | None = None  #: why the configuration cannot be used, for a command that runs even so
    settings: Settings = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)  #: of a command that did not fail; see end_with
    _output_failed: bool = False
    _live: LiveLine | None = None

    @classmethod
    def of_process(cls) -> App:
        """The App of this process: its environment and standard streams."""
        out, err = sys.stdout, sys.stderr
        return cls(
            environ=os.environ,
            home=home_directory(),
            stdin=None if sys.stdin is None else sys.stdin.buffer,
            stdout=None if out is None else out.buffer,
            stderr=err,
            stdin_is_tty=sys.stdin is not None and sys.stdin.isatty(),
            stdout_is_tty=out is not None and out.isatty(),
            stderr_is_tty=err is not None and err.isatty(),
            encoding=(out.encoding if out is not None else "") or "utf-8",
        )

    def configure(self, settings: Settings, config: Config, fault: UsageError | None = None) -> None:
        """Set the settings of the command; called once before it runs. *fault*: why there is no configuration."""
        self.settings, self.config, self.config_fault = settings, config, fault
        self.exit_codes.clear()
        self._output_failed = False

    def setting(self, name: str) -> Any:
        """The value of a common option (store, profile, output, mask, verbose, …); None where it is not set."""
        setting = self.settings.get(name)
        return None if setting is None else setting.value

    @property
    def output(self) -> str:
        """The output format: table, json, csv or excel."""
        return self.setting("output") or ("table" if self.stdout_is_tty else "json")

    @property
    def mask(self) -> bool:
        """Whether standard output has phone numbers and texts masked: tables unless --reveal, others with --mask."""
        return self.mask_data or (self.output == "table" and not self.setting("mask"))

    @property
    def mask_data(self) -> bool:
        """Whether phone numbers and texts are masked in files and in what is sent: only with --mask."""
        return bool(self.setting("mask") == "mask")

    @property
    def profile(self) -> str | None:
        """The name of the credentials profile; None where it is not set."""
        return self.setting("profile") or None

    @property
    def explicit_profile(self) -> str | None:
        """The profile, but None where only ALIBABA_CLOUD_PROFILE sets it: keys in the environment come before that."""
        setting = self.settings.get("profile")
        if setting is not None and setting.origin == "environment" and not self.environ.get("SMSRECEIPT_PROFILE"):
            return None
        return self.profile

    @property
    def verbosity(self) -> int:
        """0, 1 with -v, 2 with -vv …; -1 with -q."""
        return -1 if self.setting("quiet") else int(self.setting("verbose") or 0)

    @property
    def log_json(self) -> bool:
        """Whether messages on standard error are JSON objects."""
        return bool(self.setting("log-format") == LOG_JSON)

    @property
    def insecure_http(self) -> bool:
        """Whether endpoints other than loopback may be used without TLS."""
        return bool(self.setting("insecure-http"))

    @property
    def width(self) -> int:
        """The width of tables: that of the terminal, else COLUMNS, else 80."""
        return self.columns or shutil.get_terminal_size().columns

    @property
    def chinese(self) -> bool:
        """Whether the user's language is Chinese; see language."""
        return is_chinese()

    @property
    def color(self) -> bool:
        """Whether tables are coloured."""
        plain = self.setting("no-color") or self.environ.get("NO_COLOR") or self.environ.get("TERM") == "dumb"
        return self.stdout_is_tty and not plain

    def endpoint(self, name: str) -> str | None:
        """The address of a service, such as mns, that environment or configuration set; None: the provider's."""
        return self.environ.get(f"SMSRECEIPT_{name.upper()}_ENDPOINT") or self.config.endpoints.get(name)

    @property
    def store_location(self) -> str:
        """Where the store is, as messages show it: a path, or a URL without a password.

        Raises UsageError for a URL that no engine opens.
        """
        return opening.checked(self._store)

    @property
    def store_is_server(self) -> bool:
        """Whether opening the store makes a connection, which is better kept than made again."""
        return opening.is_server(self._store)

    @property
    def _store(self) -> str:
        """Where the store is; a URL may contain a password."""
        named = self.setting("store")
        return self._expanded(str(named)) if named else str(self.data_directory() / "smsreceipt.db")

    def _expanded(self, named: str) -> str:
        return str(self.home / named[2:]) if named.startswith("~/") else named

    def _warn_of_visible_password(self) -> None:
        """Other users of the machine see the arguments of its programs."""
        setting = self.settings.get("store")
        if setting is not None and setting.origin == "option" and opening.has_password(self._store):
            self.warn(_("other users can see the password in --store: use SMSRECEIPT_STORE, PGPASSWORD or ~/.pgpass"))

    def store_exists(self) -> bool:
        """Whether there is a store already. Raises what opening it raises."""
        return opening.exists(self._store, insecure=bool(self.setting("insecure-db")))

    def upgrade_store(self) -> tuple[int, int]:
        """Bring the schema of the store up to date; return its version before, 0 where there was none, and after."""
        self._warn_of_visible_password()
        return opening.upgrade(self._store, reread=_reread, insecure=bool(self.setting("insecure-db")))

    def shown(self, location: str) -> str:
        """A location that an argument names, as messages show it. Raises UsageError for one that no engine opens."""
        return opening.checked(self._expanded(location))

    @contextlib.contextmanager
    def open_store_at(self, location: str, *, readonly: bool) -> Iterator[Store]:
        """The store at a location that an argument names, to be used in a with statement."""
        location = self._expanded(location)
        if opening.has_password(location):
            self.warn(
                _("other users can see the password in the arguments: use SMSRECEIPT_STORE, PGPASSWORD or ~/.pgpass")
            )
        with contextlib.closing(self._opened(location, readonly=readonly)) as store:
            yield store

    def _opened(self, location: str, *, readonly: bool, lock_wait: float = LOCK_WAIT) -> Store:
        return self.opener(location, readonly, lock_wait, bool(self.setting("insecure-db")))

    @contextlib.contextmanager
    def open_store(self, *, readonly: bool, lock_wait: float = LOCK_WAIT, backfill: bool = True) -> Iterator[Store]:
        """The store, to be used in a with statement. For readers, one that does not exist yet is an empty one.

        *lock_wait*: seconds that each write waits for another process. *backfill*: a writer first fills the fields that
        receipts of an older version lack, which may take minutes once.
        Raises UsageError where its location leads to something that cannot be a store.
        """
        self._warn_of_visible_password()
        with contextlib.closing(self._opened(self._store, readonly=readonly, lock_wait=lock_wait)) as store:
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

    def open_input(self, file: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """The file, or standard input for "-", for a with statement. Raises UsageError if it cannot be opened."""
        if file != "-":
            try:
                return Path(file).open("rb")
            except OSError as exc:
                raise unusable(_("{name} cannot be read", name=file), exc, file) from exc
        if self.stdin is None:
            raise UsageError(_("standard input is closed: there is nothing for - to read"))
        return contextlib.nullcontext(self.stdin)

    def require_stdout(self) -> None:
        """Raise UsageError when standard output is closed."""
        if self.stdout is None:
            raise UsageError(_("standard output is closed, and this command does nothing but print"))

    def write(self, data: bytes) -> None:
        """Print lines. Raises ReaderGone when the pipe was closed, OutputError when they cannot be written."""
        if self.stdout is None:
            return
        if self._live is not None and self.stdout_is_tty:
            self._live.clear()
        try:
            self.stdout.write(data)
        except BrokenPipeError as exc:
            raise ReaderGone from exc
        except OSError as exc:
            raise OutputError(_("standard output: {reason}", reason=of_system(exc))) from exc

    def encode(self, text: str) -> bytes:
        """A table in the terminal's encoding; characters that it lacks become escapes."""
        return text.encode(self.encoding, "backslashreplace")

    def flush(self) -> None:
        """Flush what was printed so far. Raises ReaderGone or OutputError as write does."""
        if self.stdout is None:
            return
        try:
            self.stdout.flush()
        except (BrokenPipeError, OSError) as exc:
            self._discard_stdout()
            if isinstance(exc, BrokenPipeError):
                raise ReaderGone from exc
            raise OutputError(_("standard output: {reason}", reason=of_system(exc))) from exc

    def report(self, data: bytes) -> None:
        """Print and flush lines; never raises for the output, so that the work of the command goes on.

        The first failure prints one message and sets the exit code 141 or 6; later lines are dropped.
        """
        if self._output_failed:
            return
        try:
            self.write(data)
            self.flush()
        except ReaderGone:
            self.end_with(141)
            self.say(_("nobody reads standard output any more: going on without it"))
        except OutputError as exc:
            self.end_with(exc.exit_code)
            self.error(exc)
        else:
            return
        self._output_failed = True
        self._discard_stdout()

    def _discard_stdout(self) -> None:
        """Print nothing more. Python flushes the stream at exit, and a failure then would change the exit code."""
        stream, self.stdout = self.stdout, None
        discard(stream)

    def say(
        self, text: str, verbosity: int = 0, *, event: str = "", fields: Mapping[str, object] | None = None
    ) -> None:
        """Print a message to standard error if the verbosity is at least this: 0 unless -q, 1 with -v, -1 always.

        *event*, *fields*: what only a log in JSON has; see output.log.
        """
        if self.verbosity >= verbosity and self.stderr is not None:
            cleared = contextlib.nullcontext() if self._live is None else self._live.cleared()
            line = log_line(text, self.now(), event, fields) if self.log_json else safe(labelled(text))
            with cleared, contextlib.suppress(OSError, ValueError):
                self.stderr.write(line + "\n")
                self.stderr.flush()

    def warn(self, text: str) -> None:
        """Print a warning to standard error, also with -q."""
        self.say(f"warning: {text}", verbosity=-1)

    def error(self, exc: Exception) -> None:
        """Print an error that does not end the command at once to standard error, also with -q."""
        self.say(f"error: {exc}", verbosity=-1)

    def summary(self, figures: Mapping[str, object], sentence: str = "") -> None:
        """Print the summary to standard error, as its last line: name=value, separated by blanks; not with -q.

        A terminal gets the *sentence* that says the same instead, if there is one, and in Chinese the figures in words;
        lines are wrapped between words.
        """
        line = " ".join(f"{name}={value}" for name, value in figures.items())
        if self.log_json or not self.stderr_is_tty:
            self.say(line, event="summary", fields=figures)
            return
        if self.chinese and not sentence:
            from smsreceipt.output.summary import in_words

            sentence = in_words(figures)
        self.paragraph(sentence or line)

    def paragraph(self, text: str) -> None:
        """Print a message as say does; a terminal gets it wrapped between words. Not for commands that are copied."""
        if self.log_json or not self.stderr_is_tty:
            self.say(text)
            return
        from smsreceipt.output.terminal.screen import folded

        for piece in folded(text, self.width):
            self.say(piece)

    def needs_a_look(self, why: str) -> None:
        """Print why a person should look, also with -q, and set exit code 3. The summary comes after it."""
        self.say(why, verbosity=-1)
        self.end_with(3)

    def end_with(self, code: int) -> None:
        """End with this exit code, unless a worse one is set; see exits.worst."""
        self.exit_codes.append(code)

    def display(self) -> Display:
        """The options that tables on standard output are drawn with."""
        from smsreceipt.output.display import Display

        return Display(
            width=self.width,
            color=self.color,
            chinese=self.chinese,
            mask=self.mask,
            unicode=self.encoding.lower().replace("-", "").startswith("utf"),
            now=self.now(),
        )

    @property
    def live_line(self) -> LiveLine:
        """The live line on standard error. It draws nothing with -q and where standard error is no terminal."""
        from smsreceipt.output.terminal.progress import LiveLine

        if self._live is None:
            terminal = self.stderr_is_tty and self.environ.get("TERM") != "dumb"
            drawn = terminal and self.verbosity >= 0 and not self.log_json
            self._live = LiveLine(self.stderr if drawn else None, self.width)
        return self._live

    def progress(self) -> Progress:
        """The progress of a run on the live line; its time starts now."""
        from smsreceipt.output.terminal.progress import Progress

        return Progress(self.live_line, chinese=self.chinese)

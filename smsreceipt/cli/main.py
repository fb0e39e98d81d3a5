"""The entry point: runs a command line and turns exceptions into a message, a hint and an exit code."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from smsreceipt import language
from smsreceipt.cli.options import settings_of
from smsreceipt.errors import SmsReceiptError
from smsreceipt.exits import ReaderGone, Stopped, worst
from smsreceipt.language import _
from smsreceipt.settings import LOG_JSON
from smsreceipt.streams import discard, finish_streams, guard_streams

if TYPE_CHECKING:
    from smsreceipt.app import App


def main() -> NoReturn:
    """Run the command line of this process, and exit with its exit code."""
    from smsreceipt.cli import tool

    forbid_core_dumps()
    guard_streams()
    running = _Run(tool, sys.argv[1:], None)
    install_exception_hooks(running.line)
    catch_signals()
    try:
        code = running.finish()
    except KeyboardInterrupt as exc:  # a signal that came when the command had ended
        code = _code_of(exc)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    finish_streams()
    sys.exit(code)


def _code_of(exc: KeyboardInterrupt) -> int:
    """The exit code of the signal that was raised."""
    return 128 + (exc.signum if isinstance(exc, Stopped) else signal.SIGINT)


def catch_signals() -> None:
    """Make SIGTERM and SIGHUP raise Stopped, unless they are ignored, as nohup does."""

    def stop(signum: int, _frame: FrameType | None) -> NoReturn:
        raise Stopped(signum)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, stop)


def forbid_core_dumps() -> None:
    """Forbid core dumps: they would write keys, tokens and people's data to files."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def install_exception_hooks(line: Callable[[str, str], str]) -> None:
    """Print uncaught exceptions (in a thread, in a finalizer, at exit) without their messages, which may quote data.

    *line* makes a line of standard error from a text and its event.
    """

    def print_frames(title: str, exc: BaseException | None) -> None:
        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(line(title, "") + "\n")
                sys.stderr.writelines(line(frame, "traceback") + "\n" for frame in (_frames(exc) if exc else ()))
                sys.stderr.flush()

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:  # which ends a thread silently
            print_frames("error: " + _("internal, in a thread"), args.exc_value)

    sys.excepthook = lambda _type, exc, _trace: print_frames("error: " + _("internal"), exc)
    sys.unraisablehook = lambda args: print_frames("error: " + _("internal, nobody to be told"), args.exc_value)
    threading.excepthook = in_thread


def run(tool: click.Group, args: Sequence[str], app: App | None = None) -> int:
    """Run one command line; print errors to standard error, and return the exit code. Never raises an Exception.

    *app*: the App of the command, for tests and other programs; None: that of this process.
    """
    return _Run(tool, list(args), app).finish()


class _Run:
    """One command line, from its words to its exit code."""

    def __init__(self, tool: click.Group, args: list[str], app: App | None) -> None:
        self._tool, self._args, self._given = tool, args, app
        self._root: click.Context | None = None

    def finish(self) -> int:
        with language.using(self._language()):
            if language.is_chinese():
                from smsreceipt.cli.translated import translate_click

                translate_click()
            codes = [self._attempt(self._invoke), self._attempt(self._flush)]
        return worst([*codes, *(self._app.exit_codes if self._app else ())])

    def _language(self) -> str:
        """The language that words, environment or locale name, before options are read: their errors need it too."""
        environ = os.environ if self._given is None else self._given.environ
        words = [*itertools.takewhile(lambda word: word != "--", self._args)]
        named = [after for word, after in itertools.pairwise(words) if word == "--lang"]
        named += [word.removeprefix("--lang=") for word in words if word.startswith("--lang=")]
        chosen = [*filter(None, map(language.named, [environ.get("SMSRECEIPT_LANG", ""), *named]))]
        return chosen[-1] if chosen else language.of_locale(environ)

    @property
    def _app(self) -> App | None:
        """The App of the command; without a given one, a command makes it just before it runs."""
        return self._given or (self._root.obj if self._root else None)

    def _invoke(self) -> None:
        shell = None if self._given else os.environ.get("_SMSRECEIPT_COMPLETE")
        if shell:
            from click.shell_completion import shell_complete

            from smsreceipt.cli import bash_words

            bash_words.register()
            raise click.exceptions.Exit(shell_complete(self._tool, {}, "smsreceipt", "_SMSRECEIPT_COMPLETE", shell))
        with self._tool.make_context("smsreceipt", list(self._args), obj=self._given) as ctx:
            self._root = ctx
            self._tool.invoke(ctx)

    def _flush(self) -> None:
        if self._app is not None:
            self._app.flush()
        elif sys.stdout is not None:
            sys.stdout.flush()

    def _attempt(self, action: Callable[[], None]) -> int:
        """Run the action; return its exit code."""
        try:
            action()
        except click.exceptions.Exit as exc:
            return exc.exit_code
        except click.ClickException as exc:
            return self._usage(exc)
        except SmsReceiptError as exc:
            self._say(f"error: {exc}")
            if exc.hint:
                self._say(f"hint: {_(exc.hint)}")
            return exc.exit_code
        except Stopped as exc:
            return 128 + exc.signum
        except (KeyboardInterrupt, click.Abort):
            return 130
        except ReaderGone:
            discard(sys.stdout if self._app is None else self._app.stdout)
            return 141
        except OSError as exc:
            return self._internal(exc) if self._app is not None else self._output(exc)
        except Exception as exc:  # noqa: BLE001 - any other exception is a bug of ours
            if isinstance(exc, RuntimeError) and isinstance(signalled := exc.__context__, KeyboardInterrupt):
                # A signal that comes while a wait takes its lock back leaves the lock to be released twice.
                return _code_of(signalled)
            return self._internal(exc)
        return 0

    def _output(self, exc: OSError) -> int:
        """A failure of standard output: before a command runs, only click prints, help and version."""
        discard(sys.stdout)
        if isinstance(exc, BrokenPipeError):
            return 141
        self._say("error: " + _("standard output: {reason}", reason=language.of_system(exc)))
        return 6

    def _usage(self, exc: click.ClickException) -> int:
        """Print click's message, or the help if a group was called without a command."""
        if isinstance(exc, click.exceptions.NoArgsIsHelpError):
            self._write(exc.format_message() if not self._log_json else self.line(exc.format_message(), "message"))
            return 2
        from smsreceipt.cli.slips import next_step  # neither is for a command that goes well
        from smsreceipt.cli.translated import usage_message

        _keep_near(exc)
        hint = next_step(exc, self._tool, self._args)
        self._say(f"error: {usage_message(exc)}")
        if hint:
            self._say(f"hint: {hint}")
        return 2

    def _internal(self, exc: BaseException) -> int:
        """Print the type of an unexpected exception, and with --debug its traceback."""
        debug = "--debug" in self._args or bool(self._setting("debug"))
        for line in _frames(exc) if debug else ():
            self._say(line, "traceback")
        self._say("error: " + _("internal: {name}", name=type(exc).__name__))
        if not debug:
            self._say("hint: " + _("this is a bug; run again with --debug and report what it prints."))
        return 1

    @property
    def _log_json(self) -> bool:
        """Whether messages are JSON objects. Where no setting was read, words and environment tell."""
        setting = self._setting("log-format")
        if setting is not None:
            return bool(setting == LOG_JSON)
        args, environ = self._args, os.environ if self._app is None else self._app.environ
        words = map(str.lower, (*args, *map(" ".join, itertools.pairwise(args))))
        given = {"--log-format=json", "--log-format json"}.intersection(words)
        return bool(given) or environ.get("SMSRECEIPT_LOG_FORMAT", "").lower() == LOG_JSON

    def _setting(self, name: str) -> object:
        """The value of a common option; None where it is not set, or where no option was read."""
        found = settings_of(self._root).get(name) if self._root else None
        return found.value if found else None

    def line(self, text: str, event: str = "") -> str:
        """A message as a line of standard error, active characters escaped."""
        if self._log_json:
            from smsreceipt.model import Instant
            from smsreceipt.output.log import log_line

            now = self._app.now() if self._app else Instant(time.time_ns() // 1_000_000)
            return log_line(text, now, event)
        from smsreceipt.output.log import labelled
        from smsreceipt.output.safe import safe

        return safe(labelled(text))

    def _say(self, text: str, event: str = "") -> None:
        """Print one line to standard error."""
        self._write(self.line(text, event))

    def _write(self, text: str) -> None:
        """Write to standard error; errors of the stream are ignored."""
        stream = self._app.stderr if self._app is not None else sys.stderr
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.write(text + "\n")
                stream.flush()


def _keep_near(exc: click.ClickException) -> None:
    """Drop click's suggestions that are not near: it takes --limit for a misspelt --list."""
    if isinstance(exc, click.NoSuchOption | click.NoSuchCommand) and exc.possibilities:
        from smsreceipt.model import nearest

        name = exc.option_name if isinstance(exc, click.NoSuchOption) else exc.command_name
        exc.possibilities[:] = [each for each in exc.possibilities if nearest(name, [each])]


def _frames(exc: BaseException) -> Iterator[str]:
    """The traceback without the messages of exceptions, which may quote people's data."""
    import traceback

    for link in _chain(exc):
        for frame in traceback.extract_tb(link.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"
        yield f"  {type(link).__module__}.{type(link).__qualname__}"


def _chain(exc: BaseException) -> list[BaseException]:
    """The causes first, then the exception itself."""
    links: list[BaseException] = []
    at: BaseException | None = exc
    while at is not None and at not in links:
        links.insert(0, at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return links

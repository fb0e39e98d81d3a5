"""Where every run ends: an exception becomes a line, a hint and an exit code here and nowhere else."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from smsreceipt.cli.options import settings_of
from smsreceipt.errors import SmsReceiptError
from smsreceipt.exits import ReaderGone, Stopped, worst
from smsreceipt.streams import discard, finish_streams, guard_streams

if TYPE_CHECKING:
    from smsreceipt.app import App


def main() -> NoReturn:
    """Run the command line of this process; leave with the exit codes that scripts rely on."""
    from smsreceipt.cli import tool

    forbid_core_dumps()
    guard_streams()
    install_exception_hooks()
    catch_signals()
    code = run(tool, sys.argv[1:])
    finish_streams()
    sys.exit(code)


def catch_signals() -> None:
    """Make SIGTERM and SIGHUP unwind like Ctrl-C, unless whoever started us had them ignored (nohup)."""

    def stop(signum: int, _frame: FrameType | None) -> NoReturn:
        raise Stopped(signum)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, stop)


def forbid_core_dumps() -> None:
    """Keep keys, tokens and people's data in memory out of files that nobody knows of."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def install_exception_hooks() -> None:
    """Have exceptions that reach nobody (in a thread, a finalizer, at exit) tell where they came from, and no more."""

    def tell(title: str, exc: BaseException | None) -> None:
        from smsreceipt.output.safe import safe

        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                for line in (title, *(() if exc is None else _frames(exc))):
                    sys.stderr.write(safe(line) + "\n")
                sys.stderr.flush()

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:  # which ends a thread silently
            tell("error: internal, in a thread", args.exc_value)

    sys.excepthook = lambda _type, exc, _trace: tell("error: internal", exc)
    sys.unraisablehook = lambda args: tell("error: internal, nobody to be told", args.exc_value)
    threading.excepthook = in_thread


def run(tool: click.Group, args: Sequence[str], app: App | None = None) -> int:
    """Run one command line; return its exit code, having said what there is to say on standard error.

    *app* carries other seams than the process's own, for tests and for programs that run commands in-process.
    """
    return _Run(tool, list(args), app).finish()


class _Run:
    """One command line from its words to its number."""

    def __init__(self, tool: click.Group, args: list[str], app: App | None) -> None:
        self._tool, self._args, self._given = tool, args, app
        self._root: click.Context | None = None

    def finish(self) -> int:
        codes = [self._attempt(self._invoke), self._attempt(self._flush)]
        return worst([*codes, *(self._app.codes if self._app else ())])

    @property
    def _app(self) -> App | None:
        """The seams, once there are any: a command makes them when it is about to run."""
        return self._given or (self._root.obj if self._root else None)

    def _invoke(self) -> None:
        shell = None if self._given else os.environ.get("_SMSRECEIPT_COMPLETE")
        if shell:
            from click.shell_completion import shell_complete

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
        """Do it; return the exit code of how it ended."""
        try:
            action()
        except click.exceptions.Exit as exc:
            return exc.exit_code
        except click.ClickException as exc:
            return self._usage(exc)
        except SmsReceiptError as exc:
            self._say(f"error: {exc}")
            if exc.hint:
                self._say(f"hint: {exc.hint}")
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
        except Exception as exc:  # noqa: BLE001 - the one boundary: what nobody translated is our bug
            return self._internal(exc)
        return 0

    def _output(self, exc: OSError) -> int:
        """Help and version are printed by click itself: what goes wrong before a command runs is standard output."""
        discard(sys.stdout)
        if isinstance(exc, BrokenPipeError):
            return 141
        self._say(f"error: standard output: {exc.strerror}")
        return 6

    def _usage(self, exc: click.ClickException) -> int:
        """Click's own sentence as ours, or the help where a group was called without a command."""
        if isinstance(exc, click.exceptions.NoArgsIsHelpError):
            self._put(exc.format_message())
            return 2
        self._say(f"error: {exc.format_message()}")
        ctx = getattr(exc, "ctx", None)
        if ctx is not None:
            self._say(f"hint: {ctx.command_path} --help")
        return 2

    def _internal(self, exc: BaseException) -> int:
        """A bug of ours: its type, and with --debug where it happened."""
        said = settings_of(self._root).get("debug") if self._root else None
        debug = "--debug" in self._args or bool(said and said.value)
        for line in _frames(exc) if debug else ():
            self._say(line)
        self._say(f"error: internal: {type(exc).__name__}")
        if not debug:
            self._say("hint: this is a bug; run again with --debug and report what it prints.")
        return 1

    def _say(self, text: str) -> None:
        """One line to standard error, harmless to a terminal."""
        from smsreceipt.output.safe import safe

        self._put(safe(text))

    def _put(self, text: str) -> None:
        """To standard error; if that is closed or full, nobody is there to be told."""
        stream = self._app.stderr if self._app is not None else sys.stderr
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.write(text + "\n")
                stream.flush()


def _frames(exc: BaseException) -> Iterator[str]:
    """Where it happened, by files and lines. Messages of exceptions stay out: they like to quote people's data."""
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

"""Runs command lines as processes and writes what they print to files, one a step."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.copies import Copies

FROZEN = Path(__file__).with_name("frozen.py")
KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret"}
#: Environments in which tables are drawn.
TERMINALS = tuple(
    {"COLUMNS": columns, "LANG": language} for language in ("C.UTF-8", "zh_CN.UTF-8") for columns in ("80", "120")
)
FEW = (TERMINALS[1], TERMINALS[2])  #: enough for a table that shares its code with another one
NOTHING: Mapping[str, str] = {}
_PATIENCE = 60.0  # seconds until a command that hangs fails the run

#: Patterns of what depends on the machine, its speed or the release, and the replacements.
_VOLATILE = [
    (rb"127\.0\.0\.1:\d{5}\b", rb"127.0.0.1:<port>"),
    (rb"\(request [0-9A-F-]+\)", rb"(request <id>)"),
    (rb"\b(seconds|rate|p99_ms|max_ms)=[\d.]+", rb"\1=<n>"),
    (rb'("ms":)[\d.]+(,"over_limit":)(?:true|false)', rb"\1<n>\2<slow>"),
    # The same values in CSV and in tables.
    (rb"(?m)^(\d+,\w*,\d+,(?:true|false),\d*),[\d.]+,(?:true|false),", rb"\1,<n>,<slow>,"),
    (rb"(?m)^( *\d+  \S+ +\d+  (?:yes|no|\xe6\x98\xaf|\xe5\x90\xa6) +[\d-]+) +[\d,]+( +\d+)$", rb"\1 <n>\2"),
    (rb"over_limit=\d+", rb"over_limit=<n>"),
    # Engine, schema and size of the store.
    (rb'("engine":)"[^"]*"(,"schema":)\d+(,"size":)\d+', rb"\1<engine>\2<schema>\3<size>"),
    (rb"(?m)^((?:engine|\xe5\xbc\x95\xe6\x93\x8e) +).*$", rb"\1<engine>"),
    (rb'("bytes_per_receipt":)\w+(,"bytes_per_day":)\w+(,"free":)\w+(,"days_left":)\w+', rb"\1<n>\2<n>\3<n>\4<n>"),
    (rb"(?m)^((?:disk|\xe7\xa3\x81\xe7\x9b\x98) +).*$", rb"\1<free>"),
    (rb"(?m)^(smsreceipt) \d\S*$", rb"\1 <version>"),
]


def normalised(printed: bytes) -> bytes:
    """The output with everything replaced that differs from run to run."""
    for pattern, symbol in _VOLATILE:
        printed = re.sub(pattern, symbol, printed)
    return printed


class Recorder:
    """Runs commands in *folder*, one after the other, and writes what they print to files in *out*."""

    def __init__(self, out: Path, folder: Path) -> None:
        self.out, self.folder = out, folder.resolve()
        self._copies = Copies(str(FROZEN))
        out.mkdir(parents=True, exist_ok=True)
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "home"),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "PYTHONUTF8": "1",
            "SMSRECEIPT_STORE": "receipts.db",
        }

    def close(self) -> None:
        """End what runs the commands."""
        self._copies.close()

    def run(self, step: str, *words: str, stdin: bytes = b"", env: Mapping[str, str] = NOTHING) -> bytes:
        """Run `smsreceipt WORDS`, add what it printed to the file of *step*, and return its standard output.

        *env* is added to the environment for this run.
        """
        done = self._copies.run(words, self.folder, {**self.environment, **env}, stdin)
        self._add(step, self._typed(words, env), done.stdout, done.stderr, done.returncode)
        return done.stdout

    def objects(self, step: str, *words: str) -> list[dict[str, object]]:
        """Run a command that prints JSON lines; return what they hold."""
        return [json.loads(line) for line in self.run(step, *words).splitlines()]

    def tables(self, step: str, *words: str, terminals: Iterable[Mapping[str, str]] = TERMINALS) -> None:
        """Run a command once per terminal, with a table as its output."""
        for terminal in terminals:
            self.run(step, *words, "-o", "table", env=terminal)

    def formats(self, step: str, *words: str, terminals: Iterable[Mapping[str, str]] = TERMINALS) -> None:
        """Run a command once per output format."""
        self.run(step, *words, "--json")
        self.run(step, *words, "-o", "csv")
        self.tables(step, *words, terminals=terminals)

    def note(self, step: str, title: str, text: bytes) -> None:
        """Add something else that a command produced, such as a file or a request, to the file of *step*."""
        with (self.out / f"{step}.txt").open("ab") as file:
            file.write(b"# %s\n%s\n" % (title.encode(), self._plain(text)))

    def put(self, name: str, content: str | bytes) -> str:
        """Write a file that commands read, for its owner only; return its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return name

    @contextmanager
    def background(self, step: str, *words: str, ready: str) -> Iterator[str]:
        """Run a command in the background; gives its output so far, as soon as that contains *ready*.

        At the end of the block SIGTERM stops it, and its output is added to the file of *step*.
        """
        out, err = self.folder / f"{step}.out", self.folder / f"{step}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                self._command(words),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        try:
            deadline = time.monotonic() + _PATIENCE
            while ready not in (printed := out.read_text() + err.read_text()):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{shlex.join(words)} is not ready: {printed}")
                time.sleep(0.02)
            yield printed
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(_PATIENCE)
        self._add(step, self._typed(words, NOTHING), out.read_bytes(), err.read_bytes(), code)

    @contextmanager
    def provider(self, step: str, *words: str) -> Iterator[str]:
        """Run a sandbox in the background, point the environment to it, and give its host and port."""
        with self.background(step, "sandbox", "--port", "0", *words, ready="# ready\n") as printed:
            exported = dict(re.findall(r"export (\w+_ENDPOINT)='?([^'\n]+)", printed))
            self.environment |= KEY | exported
            yield exported["SMSRECEIPT_MNS_ENDPOINT"].removeprefix("http://")

    def _command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, str(FROZEN), *words]

    def _typed(self, words: Sequence[str], env: Mapping[str, str]) -> str:
        return " ".join([*(f"{name}={value}" for name, value in env.items()), shlex.join(["smsreceipt", *words])])

    def _add(self, step: str, command: str, out: bytes, err: bytes, code: int) -> None:
        """Append one run; a last line without a line end is marked."""
        parts = [b"$ %s\n" % command.encode()]
        for title, printed in ((b"stdout", out), (b"stderr", err)):
            if printed:
                end = b"" if printed.endswith(b"\n") else b"\n[no end of line]\n"
                parts.append(b"[%s]\n%s%s" % (title, printed, end))
        parts.append(b"[exit %d]\n\n" % code)
        with (self.out / f"{step}.txt").open("ab") as file:
            file.write(self._plain(b"".join(parts)))

    def _plain(self, printed: bytes) -> bytes:
        return normalised(printed.replace(str(self.folder).encode(), b"<folder>"))


def ask(host: str, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of one HTTP exchange."""
    connection = HTTPConnection(host, timeout=_PATIENCE)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[int, list[bytes]]]:
    """An HTTP server on loopback; gives its port and the list of the requests so far."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(b"POST %s\n%s" % (self.path.encode(), body))
            answer = '{"code":0,"msg":"成功"}'.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1], received
        finally:
            server.shutdown()
            thread.join()

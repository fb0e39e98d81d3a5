"""The real listener in a process of its own, and a provider that pushes to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self

SECRET = "canary-secret-in-the-path"
_LISTENS = re.compile(r"listening on (?:127\.0\.0\.1|\[::1\]):(\d+);")


class Listen:
    """`smsreceipt listen` on a free port; without more words, with a secret of ours and without metrics.

    Its files are beside *store*, which is the store unless *location* says otherwise.
    *ready*: wait until its store is open.
    """

    def __init__(
        self,
        store: Path,
        *words: str,
        location: str | None = None,
        ready: bool = True,
        secret: str | None = SECRET,
        bind: str = "127.0.0.1:0",
        metrics: str = "off",
        wrap: tuple[str, ...] = (),
        stdout: int | IO[bytes] | None = None,
        **more: Any,
    ) -> None:
        self.folder, self.store, self._ready = store.parent, store, ready
        self.file = store.with_suffix(".secret")
        if secret is not None and not self.file.exists():
            self.file.touch(0o600)
            self.file.write_text(f"# ours\n{secret}\n")
        self._err = self.folder / f"err-{time.monotonic_ns()}"
        self._out = self._err.with_name(self._err.name.replace("err", "out"))
        self.port = 0
        program = [*wrap, sys.executable, "-m", "smsreceipt", "listen", "--store", location or str(store)]
        options = [
            *(["--secret-file", str(self.file)] if location else []),
            "--min-free",
            "0",
            *(["--bind", bind] if bind else []),
            *(["--metrics-bind", metrics] if metrics else []),
        ]
        with self._err.open("wb") as err, self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [*program, *options, *words],
                env={name: value for name, value in os.environ.items() if not name.startswith("SMSRECEIPT")}
                | {"HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err,
                **more,
            )

    def __enter__(self) -> Self:
        self.port = self.listening()
        if self._ready:  # it answers 503 until its store is open
            until(lambda: self.process.poll() is not None or self.ask("GET", "/healthz")[0] == 200)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def listening(self) -> int:
        """The port, once it listens."""
        found = self.said(_LISTENS.pattern)
        return int(found[1])

    def said(self, pattern: str) -> re.Match[str]:
        """What it said on standard error, once it did."""
        found: list[re.Match[str]] = []

        def looked() -> bool:
            found.extend(re.finditer(pattern, self.talk))
            return bool(found)

        until(lambda: looked() or self.process.poll() is not None)
        assert found, self.talk
        return found[0]

    @property
    def talk(self) -> str:
        return self._err.read_text()

    @property
    def printed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._out.read_bytes().splitlines()]

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as line:
            line.request(method, path, body)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())

    def push(self, *elements: object, kind: str = "", secret: str = SECRET) -> int:
        body = json.dumps(elements, ensure_ascii=False).encode()
        return self.ask("POST", f"/{secret}{f'/{kind}' if kind else ''}", body)[0]

    def push_bytes(self, body: bytes, path: str = f"/{SECRET}") -> int:
        return self.ask("POST", path, body)[0]

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Stop it; its exit code. Nothing it said holds the secret, or a traceback."""
        self.process.send_signal(signum)
        return self.ended()

    def ended(self, within: float = 30) -> int:
        code = self.process.wait(within)
        assert "Traceback" not in self.talk
        assert "internal" not in self.talk
        assert SECRET not in self.talk
        return code

    @property
    def summary(self) -> dict[str, str]:
        return dict(re.findall(r"(\w+)=([\d.]+)", self.talk.splitlines()[-1]))


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

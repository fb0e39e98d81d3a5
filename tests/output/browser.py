"""A real Chromium without a window, over the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
)  # fmt: skip
#: Events that tell that the page asked for something, or complained.
_TOLD = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
_ASKED = ("Network.requestWillBeSent",)


class Browser:
    """One tab. Events are kept until `open` is called again."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._rest = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its result."""
        self._number += 1
        wanted = self._number
        message = {"id": wanted, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == wanted:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._reading, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        event: dict[str, Any] = json.loads(line)
        return event

    def open(self, path: Path, *, width: int = 1280, dark: bool = False, styles: bool = True) -> None:
        """Open a file in a window of this width. *styles*: False to leave the style sheets of the page out."""
        self._events.clear()
        mobile = width < 600
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._read())
        if not styles:
            self.run("for (const style of document.querySelectorAll('style')) style.remove()")

    def run(self, script: str) -> Any:
        """The value of an expression, as JSON brings it."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def requests(self) -> list[str]:
        """The addresses that the page asked for since it was opened."""
        return [event["params"]["request"]["url"] for event in self._events if event["method"] in _ASKED]

    def messages(self) -> list[dict[str, Any]]:
        """What the page wrote to the console, complaints of the browser included."""
        return [event["params"] for event in self._events if event["method"] in _TOLD]

    def screenshot(self, *, top: float = 0, width: int = 0, height: int = 0, scale: float = 1) -> bytes:
        """The whole page as a PNG; with *height*, that part of it."""
        part = {"clip": {"x": 0, "y": top, "width": width, "height": height, "scale": scale}} if height else {}
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True, **part)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed, on the paper that it names."""
        made = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(made["data"])


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own, which ends with the context."""
    program = shutil.which("chromium") or "chromium"
    into_read, into_write = os.pipe()
    out_read, out_write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="smsreceipt-chromium-", ignore_cleanup_errors=True) as profile:
        # The browser reads commands from descriptor 3 and writes answers to 4.
        command = f'exec 3<&{into_read} 4>&{out_write}; exec "$@"'
        words = ["bash", "-c", command, "bash", program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(
            words,
            pass_fds=(into_read, out_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as run:
            os.close(into_read)
            os.close(out_write)
            try:
                yield Browser(out_read, into_write)
            finally:
                os.close(into_write)
                os.close(out_read)
                run.terminate()

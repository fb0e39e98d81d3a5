"""`smsreceipt demo`: the whole story on loopback, told by the commands themselves."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smsreceipt.cli.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import Outcome

if TYPE_CHECKING:
    from smsreceipt.sandbox import Sandbox

_CALLS, _NUMBERS = 30, 10  # SendSms calls, and numbers in each
_KINDS = (
    "SmsReport", "SmsUp", "SignSmsReport", "TemplateSmsReport",
    "SecretStartReport", "SecretReport", "SecretSmsIntercept", "SecretRecording",
)  # fmt: skip

#: With these the commands would sign with the user's own key instead of the sandbox's.
_USERS_OWN = ("ALIBABA_CLOUD_SECURITY_TOKEN", "SMSRECEIPT_PROFILE", "ALIBABA_CLOUD_PROFILE")


@make("demo")
def command(app: App) -> None:
    """Show the whole story on loopback, without an account.

    Starts a sandbox, sends a few hundred SMS through SendSms with the official SDK, drains the queues of both
    services, and looks at what came. Nothing leaves this machine; it takes about half a minute. Every command it runs
    is printed, to be repeated by hand.
    """
    from smsreceipt.sandbox import Options, Sandbox

    folder = Path(tempfile.mkdtemp(prefix="smsreceipt-demo-"))
    with Sandbox(Options(port=0, generate=400, poison=0.02, seed=8)) as sandbox:
        story = _Story(app, sandbox, folder / "demo.db")
        story.send()
        story.pull()
        story.look()
        story.again()
        story.end()


@dataclass
class _Story:
    """The steps, each a command in a process of its own against one sandbox and one store."""

    app: App
    sandbox: Sandbox
    store: Path

    def send(self) -> None:
        """Send as a customer of the service does."""
        self._title(
            f"1. Send {_CALLS * _NUMBERS} SMS with the official SDK; calls, replies and reviews come by themselves"
        )
        sent = _send(self.sandbox.url)
        self._note(f"SendSms was called {_CALLS} times for {sent} numbers; now the receipts wait in the queues.")
        self._note(f"The commands below run against the sandbox at {self.sandbox.url}, which ends with this demo.")

    def pull(self) -> None:
        """Drain the queues of both services."""
        self._title("2. Drain the queues of both services: each receipt is on disk before it is deleted there")
        words = [word for kind in _KINDS for word in ("--type", kind)]
        line = ["pull", "--uid", "1000000001", *words, "--wait", "1"]
        target = self.store.with_name("receipts.ndjson")
        printed = self._run(line, more=f" --json > {shlex.quote(str(target))}", quiet=True)
        target.write_bytes(printed)
        kinds = Counter(json.loads(text)["kind"] for text in printed.splitlines())
        counts = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        self._note(f"New statements by kind, each a line of that file: {counts}. One message may have several.")

    def look(self) -> None:
        """Look at what came."""
        self._title("3. Look at them (numbers and texts are masked on a terminal)")
        self._run(["list", "--limit", "8"])
        self._run(["status"])
        failed = self._find(("--kind", "SmsReport", "--outcome", str(Outcome.FAILED)), "out_id")
        self._title("4. Everything known about one message that failed, and about one call")
        self._run(["show", failed])
        self._run(["show", self._find(("--kind", "SecretRecording"), "call_id")])
        self._title("5. What could not be read is kept too, with the reason")
        self._run(["rejects", "list"])

    def again(self) -> None:
        """Show that nothing is stored twice."""
        self._title("6. Pull again: nothing is left, nothing comes twice")
        self._run(["pull", "--uid", "1000000001", "--type", "SmsReport", "--type", "SecretReport", "--wait", "1"])

    def end(self) -> None:
        """Say how to go on."""
        state = self.sandbox.state()
        self._title("Done")
        self._note(
            f"The provider's side: {state['sent']} messages queued, {state['deleted']} deleted,"
            f" {state['queued']} left in the queues of other message types."
        )
        self._note("The store and receipts.ndjson stay; all but the pulls can be repeated. Look on with:")
        self._note(f"$ {self._spoken(['list', '--limit', '100'])}")
        self._note("A provider to play with and to pull from, here or in a second terminal:")
        self._note("$ smsreceipt sandbox --generate 1000 > sandbox.env &")
        self._note("$ . ./sandbox.env")
        self._note("$ smsreceipt pull --uid 1000000001 --type SmsReport")

    def _title(self, text: str) -> None:
        self.app.say("")
        self._note(text)

    def _note(self, text: str) -> None:
        """A paragraph as wide as the terminal; a command stays on one line, to be copied."""
        whole = text.startswith("$ ")
        for line in (
            [text]
            if whole
            else textwrap.wrap(text, max(self.app.width, 20), break_long_words=False, break_on_hyphens=False)
        ):
            self.app.say(line)

    def _spoken(self, words: Sequence[str]) -> str:
        return f"smsreceipt {shlex.join(['--store', str(self.store), *words])}"

    def _find(self, filters: Sequence[str], field: str) -> str:
        printed = self._run(["list", *filters], more=None, quiet=True)
        return str(next(record[field] for record in map(json.loads, printed.splitlines()) if record[field]))

    def _run(self, words: Sequence[str], *, more: str | None = "", quiet: bool = False) -> bytes:
        """Run one of our commands as the user would, and tell it, with *more* behind it; None: tell nothing.

        *quiet* returns its standard output instead of showing it.
        """
        if more is not None:
            self.app.say("")
            self._note(f"$ {self._spoken(words)}{more}")
        self.app.flush()
        environment = {
            **os.environ,
            **self.sandbox.environment(),
            "SMSRECEIPT_CONFIG": os.devnull,  # the user's own may name a profile, and that beats the sandbox's key
            "SMSRECEIPT_OUTPUT": "json" if quiet else self.app.setting("output") or "table",
            "COLUMNS": str(self.app.width),
        }
        for name in _USERS_OWN:
            environment.pop(name, None)
        done = subprocess.run(
            [sys.executable, "-m", "smsreceipt", "--store", str(self.store), *words],
            env=environment,
            stdout=subprocess.PIPE if quiet else None,
            check=False,
        )
        if done.returncode == 3:
            self._note("(exit code 3: done, but a person should look at the new rejects)")
        elif done.returncode:
            raise SmsReceiptError(f"the demo's command failed with exit code {done.returncode}: {self._spoken(words)}")
        return done.stdout or b""


def _send(url: str) -> int:
    """Send through SendSms with the official SDK, as a customer's program does."""
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkdysmsapi.request.v20170525.SendSmsRequest import SendSmsRequest

    client = AcsClient("sandbox", "sandbox-secret", "cn-hangzhou")
    sent = 0
    for call in range(_CALLS):
        numbers = [f"1380000{call:02}{n:02}" for n in range(_NUMBERS)]
        request = SendSmsRequest()
        request.set_endpoint(url.removeprefix("http://"))
        request.set_PhoneNumbers(",".join(numbers))
        request.set_SignName("示例商城")
        request.set_TemplateCode("SMS_123456789")
        request.set_TemplateParam('{"code": "123456"}')
        request.set_OutId(f"order-{1000 + call}")
        answer = json.loads(client.do_action_with_exception(request))
        sent += len(numbers) if answer["Code"] == "OK" else 0
    return sent

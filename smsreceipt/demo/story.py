"""The story that the demonstration tells, step by step."""

from __future__ import annotations

import csv
import json
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

from smsreceipt.app import App
from smsreceipt.demo.runner import Stage
from smsreceipt.errors import SmsReceiptError
from smsreceipt.model import BEIJING, Outcome
from smsreceipt.sandbox import Options, Sandbox, generate

_CALLS, _NUMBERS = 30, 10  # SendSms calls, and numbers in each
_LOST = 0.04  # the share of receipts that the provider loses on purpose
_KINDS = (
    "SmsReport", "SmsUp", "SignSmsReport", "TemplateSmsReport",
    "SecretStartReport", "SecretReport", "SecretSmsIntercept", "SecretRecording",
)  # fmt: skip
_PATIENCE = 30.0  # seconds for what takes one
#: What the last line calls the outcomes that are none yet.
_WAITING = "still waiting for their carrier"
_ENDS = {Outcome.PENDING: _WAITING, Outcome.UNKNOWN: _WAITING}


def run(app: App) -> None:
    """Tell it in a new folder, which stays. Everything runs on loopback; nothing leaves this machine."""
    folder = Path(tempfile.mkdtemp(prefix="smsreceipt-demo-"))
    with ExitStack() as stack:
        story = _Story(Stage(app, folder), stack)
        story.listen()
        story.send()
        story.pull()
        story.look()
        story.replay()
        story.compensate()
        story.end()


class _Story:
    """The steps, one after the other; the sandbox and the listening command end with *stack* at the latest."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self._stage = stage
        self._stack = stack
        self._sandbox: Sandbox
        self._listening: subprocess.Popen[bytes]
        self._sent: list[dict[str, str]] = []

    def listen(self) -> None:
        """Listen, and start the provider's side with that callback URL."""
        stage = self._stage
        stage.enter()
        stage.title("Listen for pushes, in the background")
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        words = ["listen", "--bind", address, "--metrics-bind", "off"]
        self._listening = self._stack.enter_context(stage.run_in_background(words, into="pushed.ndjson"))
        kept = stage.folder / "demo.secret"
        self._await(lambda: kept.exists() and _answers(address))
        secret = next(line for line in kept.read_text().splitlines() if not line.startswith("#"))
        options = Options(
            port=0,
            generate=400,
            poison=0.02,
            seed=8,
            report_delay=1,
            faults={"lose": _LOST},
            push=f"http://{address}/{secret}/{{kind}}",
            route="mixed",
        )
        self._sandbox = self._stack.enter_context(Sandbox(options))
        stage.environment.update(self._sandbox.environment())
        self._await(lambda: self._state()["waiting"] == 0)
        stage.note(
            f"The provider's side is a sandbox at {self._sandbox.url}, which ends with this demo. It was given the"
            f" callback URL, and its GET probe got the answer that the provider asks for."
        )

    def send(self) -> None:
        """Send as a customer of the service does."""
        stage = self._stage
        stage.title(
            f"Send {_CALLS * _NUMBERS} SMS with the official SDK; calls, replies and reviews come by themselves"
        )
        self._sent = sent = _send(self._sandbox.url)
        with (stage.folder / "sent.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, sent[0])
            writer.writeheader()
            writer.writerows(sent)
        stage.note(
            f"SendSms was called {_CALLS} times for {len(sent)} numbers, and each was noted in sent.csv. A third of the"
            f" receipts comes by push, a third by queue, a third both ways, and some are lost on purpose."
        )

    def pull(self) -> None:
        """Drain the queues of both services, while pushes come in."""
        stage = self._stage
        stage.title("Drain the queues of both services: each receipt is on disk before it is deleted there")
        words = [word for kind in _KINDS for word in ("--type", kind)]
        stage.run(["pull", "--uid", "1000000001", *words, "--wait", "1"], into="pulled.ndjson")
        self._await(lambda: self._state()["waiting"] == 0)
        stage.note("Meanwhile pushes came in; every one was on disk before it was answered. No more will come:")
        stage.app.say("")
        stage.command("kill %1")
        self._listening.terminate()
        self._listening.wait()
        twice = [record for record in self._reports() if record["times_seen"] == 2]
        failed = [record for record in twice if record["outcome"] == Outcome.FAILED]
        stage.note(
            f"{self._state()['accepted']} receipts were pushed and accepted, the slowest in"
            f" {self._state()['milliseconds']['max']:.0f} of the 700 ms that the provider waits. Of the SMS sent above,"
            f" {len(twice)} reports came both ways: each is stored once, and was seen twice. One of them:"
        )
        stage.run(["show", (failed or twice)[0]["phone"]])

    def look(self) -> None:
        """Look at what came."""
        stage = self._stage
        stage.title("Look at them (numbers and texts are masked on a terminal)")
        stage.run(["list", "--limit", "8"])
        stage.title("Everything known about a call through a privacy number")
        stage.run(["show", stage.records("list", "--kind", "SecretRecording")[0]["call_id"]])
        stage.title("What could not be read is kept too, with the reason")
        stage.run(["rejects", "list"])

    def replay(self) -> None:
        """Feed a payload that was saved, and once more what was pulled."""
        stage = self._stage
        stage.title("Replay a saved payload, and once more all that was pulled: only what is new is stored")
        saved = [message.receipt for message in generate(9, 100) if message.kind == "SmsReport"]
        (stage.folder / "saved.json").write_text(json.dumps(saved[:4], ensure_ascii=False), encoding="utf-8")
        stage.run(["replay", "saved.json", "pulled.ndjson"])

    def compensate(self) -> None:
        """Find what never came, fetch it, and show one of them."""
        stage = self._stage
        stage.title("Find the receipts that never came, and fetch them: first tell what was sent …")
        stage.run(["sends", "import", "sent.csv"])
        stage.title("… then compare, and ask the provider about exactly what is missing")
        first, last = (call["sent_at"][:10] for call in (self._sent[0], self._sent[-1]))
        days = ["--date", first] if first == last else ["--from", first, "--to", last]
        stage.run(["reconcile", *days, "--min-age", "0s"])
        state, fetched = self._state(), [record for record in self._reports() if record["source"] == "query"]
        stage.note(
            f"{state['lost']} receipts had been lost on purpose, others did not tell how it ended."
            f" {state['calls']['QuerySendDetails']} calls of QuerySendDetails have settled what can be settled today."
            f" One of the lost:"
        )
        statements = Counter(tuple(record["identity"]) for record in stage.records("list", "--history"))
        stage.run(["show", next(each["phone"] for each in fetched if statements[tuple(each["identity"])] == 1)])

    def end(self) -> None:
        """Say what became of everything, and how to go on."""
        stage = self._stage
        ends = Counter(_ENDS.get(record["outcome"], record["outcome"]) for record in self._reports())
        told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
        stage.note("")
        stage.note("Look on with these, or play with a provider of your own, here or in a second terminal:")
        for line in (
            "smsreceipt list --limit 100",
            "smsreceipt sandbox --generate 1000 > sandbox.env &",
            ". ./sandbox.env",
            "smsreceipt pull --uid 1000000001 --type SmsReport",
        ):
            stage.command(line)
        stage.note("")
        stage.note(f"Done: {len(self._sent)} SMS sent, {ends.total()} accounted for: {told}.")

    def _reports(self) -> list[dict[str, Any]]:
        """The state of every SMS that the demo sent and that has a receipt."""
        sent = {(row["biz_id"], row["phone"]) for row in self._sent}
        found = self._stage.records("list", "--kind", "SmsReport")
        return [record for record in found if (record["biz_id"], record["phone"]) in sent]

    def _state(self) -> dict[str, Any]:
        return self._sandbox.state()

    def _await(self, reached: Callable[[], bool]) -> None:
        limit = time.monotonic() + _PATIENCE
        while not reached():
            if time.monotonic() > limit or self._listening.poll() is not None:
                raise SmsReceiptError("the demo's listening command does not answer")
            time.sleep(0.02)


def _answers(address: str) -> bool:
    host, _colon, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _send(url: str) -> list[dict[str, str]]:
    """Send through SendSms with the official SDK, as a customer's program does; return what such a program notes."""
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkdysmsapi.request.v20170525.SendSmsRequest import SendSmsRequest

    client = AcsClient("sandbox", "sandbox-secret", "cn-hangzhou")
    sent = []
    with closing(client.session):  # the client itself leaves its connections open
        for call in range(_CALLS):
            numbers = [f"1380000{call:02}{n:02}" for n in range(_NUMBERS)]
            request = SendSmsRequest()
            request.set_endpoint(url.removeprefix("http://"))
            request.set_PhoneNumbers(",".join(numbers))
            request.set_SignName("示例商城")
            request.set_TemplateCode("SMS_123456789")
            request.set_TemplateParam('{"code": "123456"}')
            request.set_OutId(f"order-{1000 + call}")
            at = datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
            answer = json.loads(client.do_action_with_exception(request))
            noted = {"biz_id": answer["BizId"], "sent_at": at, "out_id": f"order-{1000 + call}"}
            sent += [{"phone": number, **noted, "template_code": "SMS_123456789"} for number in numbers]
    return sent

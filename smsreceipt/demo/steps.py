"""The steps of the demo."""

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
from smsreceipt.demo.runner import Runner
from smsreceipt.errors import SmsReceiptError
from smsreceipt.language import N_, _
from smsreceipt.model import BEIJING, Outcome
from smsreceipt.sandbox import Options, Sandbox, generate

_CALLS, _NUMBERS = 30, 10  # SendSms calls, and numbers in each
_LOST = 0.04  # the share of receipts that the sandbox loses
_KINDS = (
    "SmsReport", "SmsUp", "SignSmsReport", "TemplateSmsReport",
    "SecretStartReport", "SecretReport", "SecretSmsIntercept", "SecretRecording",
)  # fmt: skip
_PATIENCE = 30.0  # seconds until a step that usually takes one fails
#: The words of the last line for outcomes that are not final.
_WAITING = N_("{n} still waiting for their carrier")
_ENDS = {
    Outcome.DELIVERED: N_("{n} delivered"),
    Outcome.FAILED: N_("{n} failed"),
    Outcome.EXPIRED: N_("{n} expired"),
    Outcome.PENDING: _WAITING,
    Outcome.UNKNOWN: _WAITING,
}


def run(app: App) -> None:
    """Run the demo in a new folder, which stays. All connections are on loopback."""
    folder = Path(tempfile.mkdtemp(prefix="smsreceipt-demo-"))
    with ExitStack() as stack:
        demo = _Demo(Runner(app, folder), stack)
        demo.listen()
        demo.check()
        demo.send()
        demo.pull()
        demo.look()
        demo.replay()
        demo.compensate()
        demo.stats()
        demo.report()
        demo.forget()
        demo.end()


class _Demo:
    """The steps in their order. The sandbox and the listening command end when *stack* is closed."""

    def __init__(self, runner: Runner, stack: ExitStack) -> None:
        self._runner = runner
        self._stack = stack
        self._sandbox: Sandbox
        self._listening: subprocess.Popen[bytes]
        self._sent: list[dict[str, str]] = []
        self._call_id = ""  # of the call whose recording was fetched

    def listen(self) -> None:
        """Run `listen`, and start the sandbox with its callback URL."""
        runner = self._runner
        runner.enter()
        runner.title(_("Listen for pushes, in the background"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        words = ["listen", "--bind", address, "--metrics-bind", "off"]
        self._listening = self._stack.enter_context(runner.run_in_background(words, into="pushed.ndjson"))
        kept = runner.folder / "demo.secret"
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
        runner.environment.update(self._sandbox.environment())
        self._await(lambda: self._state()["waiting"] == 0)
        runner.note(
            _(
                "The provider's side is a sandbox at {url}, which ends with this demo. It was given the callback URL,"
                " and its GET probe got the answer that the provider asks for.",
                url=self._sandbox.url,
            )
        )

    def check(self) -> None:
        """Look at what is set up."""
        self._runner.title(_("Is everything set up? Key, clock, rights, queues, store"))
        self._runner.run(["doctor", "--uid", "1000000001", "--type", "SmsReport", "--type", "SmsUp"])

    def send(self) -> None:
        """Send SMS as a customer's program does."""
        runner = self._runner
        runner.title(
            _(
                "Send {n} SMS with the official SDK; calls, replies and reviews come by themselves",
                n=_CALLS * _NUMBERS,
            )
        )
        self._sent = sent = _send(self._sandbox.url)
        with (runner.folder / "sent.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, sent[0])
            writer.writeheader()
            writer.writerows(sent)
        runner.note(
            _(
                "SendSms was called {calls} times for {numbers} numbers, and each was noted in sent.csv. A third of the"
                " receipts comes by push, a third by queue, a third both ways, and some are lost on purpose.",
                calls=_CALLS,
                numbers=len(sent),
            )
        )

    def pull(self) -> None:
        """Pull from the queues of both services while pushes come in."""
        runner = self._runner
        runner.title(_("Drain the queues of both services: each receipt is on disk before it is deleted there"))
        words = [word for kind in _KINDS for word in ("--type", kind)]
        runner.run(["pull", "--uid", "1000000001", *words, "--wait", "1"], into="pulled.ndjson")
        self._await(lambda: self._state()["waiting"] == 0)
        runner.note(_("Meanwhile pushes came in; every one was on disk before it was answered. No more will come:"))
        runner.app.say("")
        runner.command("kill %1")
        self._listening.terminate()
        self._listening.wait()
        twice = [record for record in self._reports() if record["times_seen"] == 2]
        failed = [record for record in twice if record["outcome"] == Outcome.FAILED]
        runner.note(
            _(
                "{accepted} receipts were pushed and accepted, the slowest in {milliseconds:.0f} of the 700 ms that the"
                " provider waits. Of the SMS sent above, {twice} reports came both ways: each is stored once, and was"
                " seen twice. One of them:",
                accepted=self._state()["accepted"],
                milliseconds=self._state()["milliseconds"]["max"],
                twice=len(twice),
            )
        )
        runner.run(["show", (failed or twice)[0]["phone"]])

    def look(self) -> None:
        """Show what was received."""
        runner = self._runner
        runner.title(_("Look at them (numbers and texts are masked on a terminal)"))
        runner.run(["list", "--limit", "8"])
        runner.title(_("Everything known about a call through a privacy number"))
        self._call_id = call_id = runner.records("list", "--kind", "SecretRecording")[0]["call_id"]
        runner.run(["show", call_id])
        runner.title(_("Its recording, which the provider deletes after 30 days, becomes a file"))
        runner.run(["recordings", "fetch", "--call-id", call_id, "--to", "recordings"])
        runner.title(_("What could not be read is kept too, with the reason"))
        runner.run(["rejects", "list"])

    def replay(self) -> None:
        """Replay a saved payload, and what was pulled before."""
        runner = self._runner
        runner.title(_("Replay a saved payload, and once more all that was pulled: only what is new is stored"))
        saved = [message.receipt for message in generate(9, 100) if message.kind == "SmsReport"]
        (runner.folder / "saved.json").write_text(json.dumps(saved[:4], ensure_ascii=False), encoding="utf-8")
        runner.run(["replay", "saved.json", "pulled.ndjson"])

    def compensate(self) -> None:
        """Find missing receipts, fetch them, and show one of them."""
        runner = self._runner
        runner.title(_("Find the receipts that never came, and fetch them: first tell what was sent …"))
        runner.run(["sends", "import", "sent.csv"])
        runner.title(_("… then compare, and ask the provider about exactly what is missing"))
        runner.run(["reconcile", *self._days(), "--min-age", "0s"])
        state, fetched = self._state(), [record for record in self._reports() if record["source"] == "query"]
        runner.note(
            _(
                "{lost} receipts had been lost on purpose, others did not tell how it ended. {calls} calls of"
                " QuerySendDetails have settled what can be settled today. One of the lost:",
                lost=state["lost"],
                calls=state["calls"]["QuerySendDetails"],
            )
        )
        statements = Counter(tuple(record["identity"]) for record in runner.records("list", "--history"))
        runner.run(["show", next(each["phone"] for each in fetched if statements[tuple(each["identity"])] == 1)])

    def stats(self) -> None:
        """Show the figures of the day."""
        runner = self._runner
        runner.title(_("The day in figures: rates, latency, and why messages failed"))
        runner.run(["stats", *self._days(), "--provider"])

    def report(self) -> None:
        """Write the report of the day."""
        self._runner.title(_("The same as a page that can be mailed and printed"))
        self._runner.run(["report", *self._days()])

    def forget(self) -> None:
        """Forget a person of the call whose recording was fetched."""
        runner = self._runner
        runner.title(_("A person of that call asks to be forgotten: first see what is there …"))
        number = next(each["phone"] for each in runner.records("show", self._call_id) if each["phone"])
        runner.run(["forget", number, "--dry-run"])
        runner.title(
            _("… then delete it for good: receipts, sends, notes and the recording; older ones do not come back")
        )
        runner.run(["forget", number, "--yes"])
        runner.note(_("What proves it later holds a digest of the number, and not the number:"))
        runner.run(["forget", "--log"])

    def end(self) -> None:
        """Print the outcomes of all sends, and commands to go on with."""
        runner = self._runner
        ends = Counter(_ENDS[record["outcome"]] for record in self._reports())
        outcomes = ("，" if runner.app.chinese else ", ").join(_(end, n=count) for end, count in ends.most_common())
        runner.note("")
        runner.note(_("Look on with these, or play with a provider of your own, here or in a second terminal:"))
        runner.enter()
        for line in (
            "smsreceipt list --limit 100",
            "smsreceipt sandbox --generate 1000 > sandbox.env &",
            "until grep -qs ready sandbox.env; do sleep 0.1; done",
            ". ./sandbox.env",
            "smsreceipt pull",
        ):
            runner.command(line)
        runner.note("")
        runner.note(
            _(
                "Done: {sent} SMS sent, {known} accounted for: {outcomes}.",
                sent=len(self._sent),
                known=ends.total(),
                outcomes=outcomes,
            )
        )

    def _days(self) -> list[str]:
        """The options for the days on which it was sent."""
        first, last = (call["sent_at"][:10] for call in (self._sent[0], self._sent[-1]))
        return ["--date", first] if first == last else ["--from", first, "--to", last]

    def _reports(self) -> list[dict[str, Any]]:
        """The receipts of the SMS that the demo sent."""
        sent = {(row["biz_id"], row["phone"]) for row in self._sent}
        found = self._runner.records("list", "--kind", "SmsReport")
        return [record for record in found if (record["biz_id"], record["phone"]) in sent]

    def _state(self) -> dict[str, Any]:
        return self._sandbox.state()

    def _await(self, reached: Callable[[], bool]) -> None:
        limit = time.monotonic() + _PATIENCE
        while not reached():
            if time.monotonic() > limit or self._listening.poll() is not None:
                raise SmsReceiptError(_("the demo's listening command does not answer"))
            time.sleep(0.02)


def _answers(address: str) -> bool:
    host, _colon, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _send(url: str) -> list[dict[str, str]]:
    """Send SMS with the official request object of SendSms; return the sends that a customer's program would keep."""
    from aliyunsdkdysmsapi.request.v20170525.SendSmsRequest import SendSmsRequest

    from smsreceipt.aliyun.clock import Clock
    from smsreceipt.aliyun.credentials import Credentials, Fixed
    from smsreceipt.aliyun.endpoints import Endpoint
    from smsreceipt.aliyun.retry import Budget
    from smsreceipt.aliyun.rpc import Caller

    key = Fixed(Credentials("sandbox", "sandbox-secret", ""))
    sent = []
    # One try: a repeated SendSms sends again.
    with closing(Caller(Endpoint.parse(url), key, Clock(), budget=lambda: Budget(tries=1))) as caller:
        for call in range(_CALLS):
            numbers = [f"1380000{call:02}{n:02}" for n in range(_NUMBERS)]
            request = SendSmsRequest()
            request.set_PhoneNumbers(",".join(numbers))
            request.set_SignName("示例商城")
            request.set_TemplateCode("SMS_123456789")
            request.set_TemplateParam('{"code": "123456"}')
            request.set_OutId(f"order-{1000 + call}")
            at = datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
            answer = caller.call(request)
            noted = {"biz_id": answer["BizId"], "sent_at": at, "out_id": f"order-{1000 + call}"}
            sent += [{"phone": number, **noted, "template_code": "SMS_123456789"} for number in numbers]
    return sent

"""Each fault in both protocols: its effect on the response and on the queue."""

import random
from collections.abc import Callable
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any

import pytest
from aliyunsdkdybaseapi.request.v20170525.QueryTokenForMnsQueueRequest import QueryTokenForMnsQueueRequest

from smsreceipt.errors import UsageError
from smsreceipt.sandbox import FAULTS, Options, Sandbox
from tests.sandbox.clients import NS, REPORTS, Got, Wire, batch, rpc

MESSAGES = f"/queues/{REPORTS}/messages"
BATCH = f"{MESSAGES}?numOfMessages=16"
Make = Callable[..., Sandbox]


def always(make: Make, fault: str, **options: Any) -> Sandbox:
    sandbox = make(faults={fault: 1.0}, **options)
    sandbox.put(REPORTS, "a", "b")
    return sandbox


def test_drop_before_has_no_effect_on_the_queue(make: Make) -> None:
    sandbox = always(make, "drop-before")
    with Wire(sandbox.url) as wire, pytest.raises(RemoteDisconnected):
        wire.ask("GET", BATCH)
    assert sandbox.state()["queued"] == 2


def test_drop_after_hides_the_messages_of_the_lost_response(make: Make) -> None:
    sandbox = always(make, "drop-after")
    with Wire(sandbox.url) as wire, pytest.raises(RemoteDisconnected):
        wire.ask("GET", BATCH)
    assert sandbox.state()["invisible"] == 2


def test_drop_after_deletes_although_the_response_is_lost(make: Make) -> None:
    sandbox = make(faults={"drop-after": 0.4})
    sandbox.put(REPORTS, *map(str, range(200)))
    drain(sandbox)
    assert sandbox.state()["deleted"] == 200


def test_a_truncated_response_declares_its_full_length(make: Make) -> None:
    sandbox = always(make, "truncate")
    with Wire(sandbox.url) as wire, pytest.raises(IncompleteRead) as cut:
        wire.ask("GET", BATCH)
    assert abs(len(cut.value.partial) - (cut.value.expected or 0)) <= 1
    assert sandbox.state()["invisible"] == 2


def test_a_throttled_request_is_refused_in_either_protocol(make: Make) -> None:
    sandbox = always(make, "throttle")
    with Wire(sandbox.url) as wire:
        got = wire.ask("GET", BATCH)
        assert (got.status, got.code) == (429, "TooManyRequests")
        other = wire.ask("GET", "/?Action=SendSms")
        assert (other.status, other.code) == (400, "Throttling.User")
    assert sandbox.state()["queued"] == 2


@pytest.mark.parametrize("target", [BATCH, "/?Action=QuerySendDetails"])
def test_a_stalled_request_gets_no_response_and_has_no_effect(make: Make, target: str) -> None:
    sandbox = always(make, "stall")
    with Wire(sandbox.url) as wire:
        wire.http.timeout = 0.3
        with pytest.raises(TimeoutError):
            wire.ask("GET", target)
    assert sandbox.state()["queued"] == 2


def test_a_server_error_is_xml_or_json_or_the_gateways_html(make: Make) -> None:
    sandbox = always(make, "500")
    with Wire(sandbox.url) as wire:
        seen = [wire.ask("GET", target) for target in (BATCH, "/?Action=SendSms") for _ in range(20)]
    pages = [got for got in seen if got.headers["content-type"] == "text/html"]
    codes = {(got.status, got.headers["content-type"].partition(";")[0], got.code) for got in seen if got not in pages}
    assert codes == {(500, "text/xml", "InternalError"), (500, "application/json", "InternalError")}
    assert {got.status for got in pages} == {502}


def test_a_revoked_token_stays_refused(make: Make) -> None:
    sandbox = make(faults={"token": 0.5})
    made = rpc(sandbox, QueryTokenForMnsQueueRequest(), MessageType="SmsReport")["MessageTokenDTO"]
    keys = {"key": made["AccessKeyId"], "secret": made["AccessKeySecret"], "security_token": made["SecurityToken"]}
    with Wire(sandbox.url) as wire:
        codes = [wire.ask("GET", MESSAGES, **keys).code for _ in range(30)]
        assert wire.ask("GET", MESSAGES).code == "MessageNotExist"
    first = codes.index("SecurityTokenExpired")
    assert codes == ["MessageNotExist"] * first + ["SecurityTokenExpired"] * (30 - first)


def test_a_duplicated_message_is_received_twice(make: Make) -> None:
    sandbox = always(make, "duplicate")
    with Wire(sandbox.url) as wire:
        first = taken(wire.ask("GET", BATCH))
        (again,) = taken(wire.ask("GET", BATCH))
        assert wire.ask("GET", BATCH).code == "MessageNotExist"
        assert again["MessageId"] in {message["MessageId"] for message in first}
        handles = [message["ReceiptHandle"] for message in [*first, again]]
        assert len(set(handles)) == 3
        assert wire.ask("DELETE", MESSAGES, batch(handles)).status == 204
    state = sandbox.state()
    assert (state["sent"], state["duplicated"], state["deleted"]) == (2, 1, 3)


def test_a_stale_handle_is_invalid_and_its_message_is_redelivered(make: Make) -> None:
    sandbox = always(make, "stale")
    with Wire(sandbox.url) as wire:
        handles = [message["ReceiptHandle"] for message in taken(wire.ask("GET", BATCH))]
        got = wire.ask("DELETE", MESSAGES, batch(handles))
        assert got.status == 404
        assert [code.text for code in got.xml.iter(f"{NS}ErrorCode")] == ["MessageNotExist"] * 2
        assert [message["DequeueCount"] for message in taken(wire.ask("GET", BATCH))] == ["2", "2"]


def taken(got: Got) -> list[dict[str, str]]:
    """The messages of a batch receive."""
    return [{child.tag.removeprefix(NS): child.text or "" for child in message} for message in got.xml]


def drain(sandbox: Sandbox) -> set[str]:
    """Receive and delete until the queue is empty, despite all faults; return the bodies."""
    bodies: set[str] = set()
    while True:
        state = sandbox.state()
        if not state["queued"]:
            if not state["invisible"]:
                return bodies
            sandbox.advance(31)
        with Wire(sandbox.url) as wire:
            try:
                got = wire.ask("GET", BATCH, date=date_of(sandbox))
                messages = taken(got) if got.status == 200 and b"<html>" not in got.body else []
                bodies |= {message["MessageBody"] for message in messages}
                if messages:
                    handles = [message["ReceiptHandle"] for message in messages]
                    wire.ask("DELETE", MESSAGES, batch(handles), date=date_of(sandbox))
            except (RemoteDisconnected, IncompleteRead):
                continue


def date_of(sandbox: Sandbox) -> str:
    """The provider's time, from a Date header."""
    with Wire(sandbox.url) as wire:
        wire.http.request("GET", "/_sandbox/state")
        answer = wire.http.getresponse()
        answer.read()
        return str(answer.headers["Date"])


@pytest.mark.parametrize("seed", range(3))
def test_with_all_faults_nothing_is_lost_and_the_counters_add_up(seed: int) -> None:
    faults = {name: 0.1 for name in FAULTS if name not in {"throttle", "stall"}}
    with Sandbox(Options(port=0, seed=seed, faults=faults)) as sandbox:
        sent = {f"{seed}-{n}" for n in range(300)}
        sandbox.put(REPORTS, *random.Random(seed).sample(sorted(sent), 300))
        assert drain(sandbox) == sent
        state = sandbox.state()
    total = sum(int(str(state[name])) for name in ("queued", "invisible", "deleted", "expired"))
    assert int(str(state["sent"])) + int(str(state["duplicated"])) == total
    assert int(str(state["duplicated"])) > 0


def test_the_same_seed_gives_the_same_faults() -> None:
    def run() -> list[str]:
        with (
            Sandbox(Options(port=0, seed=7, faults={"500": 0.3, "duplicate": 0.3})) as sandbox,
            Wire(sandbox.url) as wire,
        ):
            sandbox.put(REPORTS, *map(str, range(50)))
            return [
                f"{got.status} {got.body.count(b'<Message>')}" for got in (wire.ask("GET", BATCH) for _ in range(12))
            ]

    assert run() == run()


@pytest.mark.parametrize("options", [{"faults": {"flood": 0.1}}, {"faults": {"500": 1.5}}, {"poison": -0.1}])
def test_unknown_faults_and_bad_probabilities_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Options(**options)


def test_a_gateways_page_has_status_200_and_no_effect(make: Make) -> None:
    sandbox = always(make, "page")
    with Wire(sandbox.url) as wire:
        for target in (BATCH, "/?Action=SendSms"):
            got = wire.ask("GET", target)
            assert got.status == 200
            assert b"<html>" in got.body
    assert sandbox.state()["queued"] == 2


def test_an_undone_delete_is_accepted_and_shows_the_messages_again(make: Make) -> None:
    sandbox = always(make, "undelete")
    with Wire(sandbox.url) as wire:
        for _ in range(3):
            got = wire.ask("GET", BATCH)
            assert (
                wire.ask("DELETE", MESSAGES, batch([message["ReceiptHandle"] for message in taken(got)])).status == 204
            )
    state = sandbox.state()
    assert (state["queued"], state["deleted"], state["invisible"]) == (2, 0, 0)

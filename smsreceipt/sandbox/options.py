"""The options of a sandbox, with the message types, faults and routes to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smsreceipt.errors import UsageError
from smsreceipt.language import _

#: The message types that the two services document in full, then the others that use the same queues.
KINDS = (
    "SmsReport",
    "SmsUp",
    "SignSmsReport",
    "TemplateSmsReport",
    "SecretStartReport",
    "SecretReport",
    "SecretSmsIntercept",
    "SecretRecording",
    "DypnsSmsVerifyReport",
    "GlobeSmsReport",
    "SecretRingReport",
    "SecretPickUpReport",
    "SecretAsrReport",
    "SecretExceptionPhoneReport",
    "NumberManagementReport",
    "SmartLogisticsReport",
    "VoiceReport",
    "VoiceCallReport",
    "VoiceRecordReport",
    "MnsCardVender",
    "MnsCardTemplate",
)

#: The faults; Options.faults sets the probability of each.
FAULTS = (
    "500",  # a server error, of the service or of a gateway (in HTML)
    "drop-before",  # the connection closes before the request has an effect
    "drop-after",  # the request has its effect, and the connection closes without a response
    "truncate",  # the request has its effect, and half of the response is sent
    "page",  # a gateway responds with its own page and status 200; the request has no effect
    "stall",  # the request has no effect, and no response ever comes
    "throttle",  # refused for too many requests, after a delay
    "token",  # a valid token is refused from now on
    "duplicate",  # a copy of one received message stays visible
    "stale",  # the received messages are visible again at once: their handles are invalid
    "undelete",  # a delete is accepted, and its messages are visible again at once
    "lose-push",  # a receipt is not pushed
    "repeat-push",  # an accepted push is sent once more
    "lose",  # a sent SMS gets no receipt; QuerySendDetails knows its outcome
    "total",  # QuerySendDetails: the TotalCount is wrong, also for a number without sends
    "empty",  # QuerySendDetails: no rows, although there are some
    "short",  # QuerySendDetails: fewer rows than the page has
    "repeat",  # QuerySendDetails: the previous page once more
    "shift",  # QuerySendDetails: after this page a newer send appears, which moves rows to the next page
    "oss-500",  # a recording: a server error
    "oss-cut",  # a recording: the connection ends after half of what was asked for
    "oss-stall",  # a recording: nothing more comes after half of it, and the connection stays open
    "oss-length",  # a recording: half of it, and a length that fits the half
    "oss-corrupt",  # a recording: one bit is wrong
    "oss-expire",  # the link to a recording has expired when it is given
    "oss-redirect",  # a recording: the answer leads to another host
)

#: How receipts are delivered when there is a callback URL.
ROUTES = (
    "both",  # each by queue and by push
    "push",  # by push only; message types that the provider never pushes, by queue
    "mixed",  # a third by queue, a third by push, a third both ways
)


def _quiet(_line: str) -> None:
    """Drop the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sandbox behaves. Raises UsageError for an unknown fault or route, or a number out of its range."""

    port: int = 8901  #: 0 takes any free port
    uid: str = "1000000001"  #: the account uid in queue names
    #: NDJSON files: {"queue" or "kind": …, "body": object (sent as base64) or raw text}, or {"send": PastSend}
    load: tuple[Path, ...] = ()
    generate: int = 0  #: how many generated messages of all kinds are in the queues at the start
    seed: int | None = None  #: the same seed and day give the same messages, outcomes and faults
    poison: float = 0.0  #: the share of generated messages that cannot be read
    visibility: float = 30  #: seconds a received message stays hidden
    latency: float = 0  #: milliseconds added to each response
    token_life: float = 3600  #: seconds a token for a queue is valid
    report_delay: float = 0  #: seconds between SendSms and its SmsReport
    long_polls: int = 64  #: how many receives of the account may wait; further ones get 404 at once
    qps_limit: int | None = None  #: calls of QuerySendDetails a second; more are throttled. None: the documented 5,000
    push: str = ""  #: callback URL that receipts are pushed to; {kind} in it is replaced
    push_scale: float = 1.0  #: factor for the retry schedule of 1, 5 and 10 minutes
    push_batch: int = 10  #: the largest number of receipts in a push
    route: str = "both"  #: one of ROUTES
    say: Callable[[str], None] = _quiet  #: gets a line about each result of the probe, in the sandbox's thread
    skew: float = 0  #: seconds the sandbox's clock is ahead of the host's
    faults: Mapping[str, float] = field(default_factory=dict)  #: name from FAULTS -> probability

    def __post_init__(self) -> None:
        for name, share in {**self.faults, "poison": self.poison}.items():
            if name not in FAULTS and name != "poison":
                raise UsageError(
                    _("unknown fault {name!r}", name=name), hint=_("Known: {names}.", names=", ".join(FAULTS))
                )
            if not 0 <= share <= 1:
                raise UsageError(_("{name} must lie between 0 and 1, not {share}", name=name, share=share))
        if self.route not in ROUTES:
            raise UsageError(
                _("unknown route {route!r}", route=self.route), hint=_("Known: {names}.", names=", ".join(ROUTES))
            )
        if self.push_scale <= 0 or self.push_batch < 1 or (self.qps_limit is not None and self.qps_limit < 1):
            raise UsageError(_("push_scale must be above 0, push_batch and qps_limit at least 1"))

    def queue_of(self, kind: str) -> str:
        """The name of the default queue of a message type."""
        return f"Alicom-Queue-{self.uid}-{kind}"

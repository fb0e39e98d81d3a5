"""What a sandbox can be asked to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smsreceipt.errors import UsageError

#: The message types that the two services document in full, then the others on the same road.
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

#: What can go wrong on purpose, at the probability that Options.faults gives it.
FAULTS = (
    "500",  # a server error: of the service, or a gateway's page in HTML
    "drop-before",  # the connection closes, and nothing happened
    "drop-after",  # it happened, and the connection closes unanswered
    "truncate",  # it happened, and half of the answer comes
    "stall",  # nothing happens, and no answer ever comes
    "throttle",  # refused for too many requests, after a while
    "token",  # a good token is dead from now on
    "duplicate",  # one of the received messages stays visible as well
    "stale",  # the received messages are visible again at once: their handles are dead
    "lose-push",  # a receipt is not pushed
    "repeat-push",  # an accepted push comes once more
    "lose",  # a sent SMS gets no receipt; QuerySendDetails knows how it ended
    "total",  # QuerySendDetails: the TotalCount is wrong, even where there is nothing
    "empty",  # QuerySendDetails: no rows, though there are
    "short",  # QuerySendDetails: fewer rows than the page has
    "repeat",  # QuerySendDetails: the page before once more
    "shift",  # QuerySendDetails: after this page a send appears on top, which moves rows to the next page
)

#: Which way receipts go when there is a callback URL.
ROUTES = (
    "both",  # each by queue and by push
    "push",  # by push only; what the provider never pushes, by queue
    "mixed",  # a third by queue, a third by push, a third both ways
)


def _quiet(_line: str) -> None:
    """Nobody is to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sandbox behaves. Raises UsageError for an unknown fault or route, or a number out of its range."""

    port: int = 8901  #: 0 takes any free one
    uid: str = "1000000001"  #: the account uid in queue names
    load: tuple[Path, ...] = ()  #: NDJSON: {"queue" or "kind": …, "body": object (sent as base64) or raw text}
    generate: int = 0  #: this many generated messages of all kinds wait in the queues at the start
    seed: int | None = None  #: same seed and day: same messages, outcomes and faults
    poison: float = 0.0  #: the share of generated messages that hold no receipt
    visibility: float = 30  #: seconds a received message stays hidden
    latency: float = 0  #: milliseconds added to each answer
    token_life: float = 3600  #: seconds a token for a queue is good for
    report_delay: float = 0  #: seconds between SendSms and its SmsReport
    long_polls: int = 64  #: waiting receives an account may hold; the next ones get their 404 at once
    qps_limit: int | None = None  #: calls of QuerySendDetails a second; more are throttled. None: the documented 5,000
    push: str = ""  #: callback URL that receipts go to as well; {kind} in it is replaced
    push_scale: float = 1.0  #: the schedule of 1, 5, 10 minutes after a push that was not accepted, times this
    push_batch: int = 10  #: receipts in a push, at most
    route: str = "both"  #: of ROUTES: which way receipts go when there is a callback URL
    say: Callable[[str], None] = _quiet  #: told, in a line, what becomes of the probe; from the sandbox's own thread
    skew: float = 0  #: seconds the sandbox's clock is ahead of the host's
    faults: Mapping[str, float] = field(default_factory=dict)  #: name of FAULTS -> probability

    def __post_init__(self) -> None:
        for name, share in {**self.faults, "poison": self.poison}.items():
            if name not in FAULTS and name != "poison":
                raise UsageError(f"unknown fault {name!r}", hint=f"Known: {', '.join(FAULTS)}.")
            if not 0 <= share <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {share}")
        if self.route not in ROUTES:
            raise UsageError(f"unknown route {self.route!r}", hint=f"Known: {', '.join(ROUTES)}.")
        if self.push_scale <= 0 or self.push_batch < 1 or (self.qps_limit is not None and self.qps_limit < 1):
            raise UsageError("push_scale must be above 0, push_batch and qps_limit at least 1")

    def queue_of(self, kind: str) -> str:
        """The default queue of a message type."""
        return f"Alicom-Queue-{self.uid}-{kind}"

"""The table of checks: one row each, with its name, its deadline and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.language import _
from smsreceipt.runs.doctor import local
from smsreceipt.runs.doctor.callback import CallbackChecks
from smsreceipt.runs.doctor.finding import Check, Result, failed, own_hint, skipped
from smsreceipt.runs.doctor.local import StoreChecks
from smsreceipt.runs.doctor.provider import OF_CALLS, SERVICES, ProviderChecks
from smsreceipt.runs.pull import NoQueueError
from smsreceipt.sources.push.secrets import PushSecrets
from smsreceipt.sources.queue.client import Queue

_LOCAL, _CALL, _QUEUE, _PUSH = 5.0, 8.0, 9.0, 12.0  # seconds
_AS_IN_CONSOLE = (
    "Copy the name from the console: Alicom-Queue-UID-SmsReport",
    "请从控制台复制队列名称：Alicom-Queue-UID-SmsReport",
)


def checks(
    app: App,
    queues: Sequence[Queue],
    fault: UsageError | None,
    push: str | None,
    *,
    offline: bool,
    known: Mapping[str, Callable[[str], str | None]],
) -> list[Check]:
    """All checks of one run, in the order in which they are shown.

    *fault*: why the queues are not known. *push*: the callback URL to check; without a path, the secret of this
    machine is used. *known*: the environment variables of all options, and what tells
    what is wrong with the text of each.
    """
    store, provider = StoreChecks(app), ProviderChecks(app, offline=offline, patience=_CALL)
    calls = any(queue.kind.startswith("Secret") for queue in queues)
    services = (*SERVICES, OF_CALLS) if calls else SERVICES
    return [
        Check("versions", _LOCAL, local.versions),
        Check("terminal", _LOCAL, partial(local.locale, app)),
        Check("configuration", _LOCAL, partial(local.configuration, app)),
        Check("environment", _LOCAL, partial(local.environment, app, known)),
        Check("store", _LOCAL, store.store, late=6),
        Check("disk", _LOCAL, store.disk, late=6),
        Check("secret file", _LOCAL, store.secret_file),
        Check("receipts", _LOCAL, store.receipts, late=6),
        Check("outages", _CALL, store.outages, late=0),
        *(Check(f"endpoint {name}", _CALL, partial(provider.endpoint, name), remote=True) for name in services),
        Check("clock", _QUEUE, provider.clock, remote=True),
        Check("keys", _QUEUE, provider.keys),
        Check("right QuerySendDetails", _QUEUE, provider.details, remote=True),
        Check("right QuerySendStatistics", _QUEUE, provider.statistics, remote=True),
        *([Check("queues", _LOCAL, partial(_no_queue, fault))] if not queues else []),
        *(Check(check_of(each), _QUEUE, partial(provider.queue, each), remote=True) for each in queues),
        *(_of_callback(app, push) if push else []),
    ]


def check_of(queue: Queue) -> str:
    """The name of the check of a queue."""
    return f"queue {queue.name}"


def _of_callback(app: App, url: str) -> list[Check]:
    try:
        callback = CallbackChecks(url)  # what is no URL is told before a secret is looked for
        callback = CallbackChecks(_with_secret(app, url))
    except SmsReceiptError as exc:
        return [Check("push", _LOCAL, partial(failed, exc))]
    return [
        Check("push address", _PUSH, callback.address, remote=True),
        Check("push GET", _PUSH, callback.get, remote=True),
        Check("push POST", _PUSH, callback.post, remote=True),
        Check("push Upgrade", _PUSH, callback.upgrade, remote=True),
        Check("push size", _PUSH, callback.large, remote=True),
        Check("push wrong secret", _PUSH, callback.wrong_secret, remote=True),
    ]


def _with_secret(app: App, url: str) -> str:
    """The URL; where it names a host only, with the current secret of this machine, so that nobody has to type it."""
    scheme, found, rest = url.strip().partition("://")
    if not found or "/" in rest.rstrip("/"):
        return url
    path = local.secret_path(app)
    if not path.exists():
        raise UsageError(
            _("--push names no path, and there is no secret file yet"), hint=_("Start `smsreceipt listen` first.")
        )
    return f"{scheme}://{rest.rstrip('/')}/{PushSecrets(path).current}/SmsReport"


def _no_queue(fault: UsageError | None) -> Result:
    """Why no queue is checked."""
    if fault is not None and not isinstance(fault, NoQueueError):
        return failed(fault, own_hint(fault) if fault.hint else _AS_IN_CONSOLE)
    fix = "smsreceipt doctor --uid UID --type SmsReport", "smsreceipt doctor --uid UID --type SmsReport"
    return skipped("none is configured", "没有配置队列", fix)

"""Hands on by HTTP: a POST of a JSON array for each batch, confirmed by a 2xx."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from smsreceipt.aliyun.deadline import within
from smsreceipt.aliyun.posting import post
from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.forward.address import KIND, Address, why
from smsreceipt.forward.batch import Batch, NotTaken, Refused
from smsreceipt.forward.bodies import Bodies, array
from smsreceipt.forward.signature import HEADER, signature
from smsreceipt.language import _
from smsreceipt.output import reasons

_LATER = {408, 409, 425, 429}  # statuses below 500 after which the same may be taken another time
_LONGEST_PAUSE = 86_400.0  # seconds: no Retry-After is believed beyond that


class Web:
    """A URL. Certificates are verified, redirects not followed, connections kept open."""

    def __init__(
        self,
        address: Address,
        bodies: Bodies,
        *,
        proxies: Proxies | None,
        secrets: tuple[bytes, ...],
        timeout: float,
        one_kind: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """*timeout*: seconds for a whole exchange. *secrets*: sign with each of them. *clock*: the time signed."""
        self.name = str(address)
        self.one_kind = one_kind or address.by_kind
        self._address, self._bodies, self._proxies = address, bodies, proxies
        self._secrets, self._timeout, self._clock = secrets, timeout, clock
        self._session = address.session(proxies)

    def hand_on(self, batch: Batch) -> None:
        """POST the batch once. Confirmed is a 2xx whose answer is whole."""
        lines = self._bodies(batch.receipts)
        if not lines:
            return
        body = array(lines)
        headers = {"Idempotency-Key": batch.key}
        if self._secrets:
            headers[HEADER] = signature(self._secrets, body, int(self._clock()))
        url = self._address.url.replace(KIND, quote(batch.receipts[0].receipt.kind, safe=""))
        try:
            session, limit = self._session, self._timeout
            answer = within(limit, lambda: post(session, url, body, headers, limit=limit))
        except OSError as exc:
            self.close()  # the thread of the exchange may still use its connection
            self._session = self._address.session(self._proxies)
            raise NotTaken(_(why(exc))) from None  # not chained: the cause may quote the URL
        status = answer.status
        if 200 <= status < 300:
            return
        if 400 <= status < 500 and status not in _LATER:
            raise Refused(reasons.ANSWERED.format(n=status), answer.body[:200].decode("utf-8", "replace"))
        if 300 <= status < 400:
            said = _("answered {n}; redirects are not followed", n=status)
        else:
            said = _(reasons.ANSWERED, n=status)
        raise NotTaken(said, pause=_pause(answer.retry_after, self._clock()))

    def close(self) -> None:
        """Close every connection."""
        self._session.close()


def _pause(text: str, now: float) -> float:
    """The seconds of a Retry-After, which names them or a date; 0 for anything else."""
    if text.strip().isdecimal() and len(text) < 12:
        return min(float(text), _LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):  # the last for a zone that is days away
        return 0.0
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.fromtimestamp(now, UTC)
    return min(max(seconds.total_seconds(), 0.0), _LONGEST_PAUSE)

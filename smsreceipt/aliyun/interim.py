"""Answers for http.client, which takes every interim one but 100 for the final answer."""

from __future__ import annotations

import http.client

from smsreceipt.language import _

_MOST = 100  # interim answers before one final answer


class FinalResponse(http.client.HTTPResponse):
    """An answer; interim ones before it, such as 103 Early Hints, are passed over (RFC 9110, section 15.2).

    It is for the attribute response_class of a connection.
    """

    def _read_status(self) -> tuple[str, int, str]:
        for _number in range(_MOST):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # the base class passes over 100 alone
            if not http.HTTPStatus.SWITCHING_PROTOCOLS < status < http.HTTPStatus.OK:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine(_("the answer's headers are too long"))

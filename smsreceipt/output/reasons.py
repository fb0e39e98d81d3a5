"""Why a receiver did not take receipts: kept in English, in the store and in JSON; shown in the chosen language."""

from __future__ import annotations

import re

from smsreceipt.language import N_, _

NO_ANSWER = N_("no answer in time")
NO_PROXY = N_("no connection through the proxy")
NO_CERTIFICATE = N_("the certificate is not valid")
NO_CONNECTION = N_("no connection")
NO_OBJECT = N_("answered no JSON object")
NO_NUMBER = N_("answered without a code that is a number")
NOT_SENT = N_("not sent")
GONE = N_("not in the store any more")
ANSWERED = N_("answered {n}")  #: to be formatted
ENDED = N_("ended with {n}")  #: to be formatted

_NUMBER = re.compile(r"[0-9]+\Z")


def in_words(reason: str) -> str:
    """A reason of this module in the chosen language; any other text as it is."""
    number = _NUMBER.search(reason)
    template = _NUMBER.sub("{n}", reason)
    return _(template, n=number[0]) if number and template in {ANSWERED, ENDED} else _(reason)

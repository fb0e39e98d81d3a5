"""A program that notes sends until it is killed, and prints them: `python -m tests.api.noting STORE FIRST [batch]`.

With `note-later` it has a bug: what was noted is written a moment later.
"""

from __future__ import annotations

import os
import sys

import smsreceipt
from smsreceipt.api import ledger as module
from smsreceipt.runs.noted import Spool


def main() -> None:
    module.EVERY = 0.02
    number = int(sys.argv[2])
    if "note-later" in sys.argv:
        append, held = Spool.append, list[bytes]()

        def later(spool: Spool, lines: bytes) -> None:
            held.append(lines)
            if len(held) == 50:
                append(spool, b"".join(held))
                held.clear()

        Spool.append = later  # type: ignore[method-assign, assignment]
    with smsreceipt.Ledger(sys.argv[1]) as ledger:
        while True:
            phones = [f"138{number + n:08}" for n in range(3)]
            if "batch" in sys.argv:
                with ledger.batch():
                    ledger.note({"Code": "OK", "BizId": f"{number:018}^0"}, phone_numbers=phones)
            else:
                ledger.note({"Code": "OK", "BizId": f"{number:018}^0"}, phone_numbers=",".join(phones))
            os.write(1, f"{' '.join(phones)}\n".encode())
            number += 3


if __name__ == "__main__":
    main()

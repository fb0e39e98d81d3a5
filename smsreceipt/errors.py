"""Every way in which the program can end badly: a sentence, a hint, a number.

The numbers are the exit codes that scripts rely on. Two more are no errors of ours and have no class: 1 (a bug) and
141 (the reader of our output went away). A sentence never holds a phone number, a text or a secret.
"""


class SmsReceiptError(Exception):
    """Something the user can act on; printed as one line and, where there is one, a hint."""

    exit_code = 1
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class UsageError(SmsReceiptError):
    """The command line or the configuration asks for something that cannot be."""

    exit_code = 2


class AuthError(SmsReceiptError):
    """The provider refused our credentials, our permission or our clock."""

    exit_code = 4
    hint = "Check the AccessKey, its RAM rights, and that the queue belongs to this account."


class ProviderError(SmsReceiptError):
    """The provider could not be reached, or throttled us, until the retry budget was spent."""

    exit_code = 5
    hint = "Nothing is lost: run the same command again."


class StoreUnavailable(SmsReceiptError):
    """The store is locked, full or read-only; nothing was acked that is not stored."""

    exit_code = 6
    hint = "Nothing is lost: free the store and run the same command again."


class StoreLocked(StoreUnavailable):
    """Another process held the write lock for longer than we may wait; trying again may help."""


class StoreFull(StoreUnavailable):
    """The disk under the store is full; it recovers by itself once there is space again."""

    hint = "Nothing is lost: free space on that disk and run the same command again."


class OutputError(SmsReceiptError):
    """Standard output cannot take what it was asked to carry."""

    exit_code = 6
    hint = "Free the disk that standard output goes to, or send it elsewhere."


class StoreDamaged(SmsReceiptError):
    """The store is damaged, not ours, newer than this program, or was replaced while in use; it was not written to."""

    exit_code = 7
    hint = "The store was left as it is. Restore a backup, then pull or replay again."


class QueueNotFound(SmsReceiptError):
    """The provider knows no queue of that name."""

    exit_code = 8
    hint = (
        "Look the name up in the console (SMS: System settings > General settings; number privacy: Overview >"
        " message receiving). A queue without traffic for three months sleeps until the next send."
    )

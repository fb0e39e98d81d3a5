"""The errors that end the program: each has a message, a hint and an exit code.

Scripts rely on the exit codes. 1 (a bug) and 141 (the reader of standard output closed the pipe) have no class here.
A message never contains a phone number, a text or a secret.
"""

from smsreceipt.language import N_


class SmsReceiptError(Exception):
    """An error that the user can act on; its message is printed as one line, with the hint if there is one."""

    exit_code = 1
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        if hint:
            self.hint = hint


class UsageError(SmsReceiptError):
    """The command line or the configuration is not valid."""

    exit_code = 2


class AuthError(SmsReceiptError):
    """The provider refused the credentials, the permission or the time of the request."""

    exit_code = 4
    hint = N_("Check the AccessKey, its RAM rights, and that the queue belongs to this account.")

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        """*code*: the provider's, where it refused a call."""
        super().__init__(message, hint=hint)
        self.code = code


class ProviderError(SmsReceiptError):
    """The provider was unreachable or throttled the requests until the retry budget was spent."""

    exit_code = 5
    hint = N_("Nothing is lost: run the same command again.")


class StoreUnavailable(SmsReceiptError):
    """The store is locked, full or read-only. Nothing was acknowledged that is not stored."""

    exit_code = 6
    hint = N_("Nothing is lost: free the store and run the same command again.")


class StoreLocked(StoreUnavailable):
    """Another process held the write lock of the store for longer than the caller waits; a retry may succeed."""


class StoreFull(StoreUnavailable):
    """The disk of the store is full; the store is usable again as soon as there is space."""

    hint = N_("Nothing is lost: free space on that disk and run the same command again.")


class OutputError(SmsReceiptError):
    """The output cannot be written."""

    exit_code = 6
    hint = N_("Free the disk that standard output goes to, or send it elsewhere.")


class StoreDamaged(SmsReceiptError):
    """The store is damaged, not ours, newer than this program, or was replaced while in use; it was not written to."""

    exit_code = 7
    hint = N_("The store was left as it is. Restore a backup, then pull or replay again.")


class QueueNotFound(SmsReceiptError):
    """The provider has no queue of that name."""

    exit_code = 8
    hint = N_(
        "Look the name up in the console (SMS: System settings > General settings; number privacy: Overview >"
        " message receiving). A queue without traffic for three months sleeps until the next send."
    )

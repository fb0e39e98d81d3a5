"""``python -m smsreceipt`` is the command itself."""

from smsreceipt.cli import main

main()

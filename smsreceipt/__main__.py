"""``python -m smsreceipt`` is the command itself."""

from smsreceipt.cli.main import main

main()

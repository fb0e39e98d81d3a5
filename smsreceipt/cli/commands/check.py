"""`smsreceipt check`: whether the store is whole."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command, option


@cli_command("check", data=True)
@option("--deep", is_flag=True, help="Also list receipts that this version would read differently.")
@option("--fix", is_flag=True, help="Derive again what is wrong, in one transaction; receipts stay as they are.")
def command(app: App, deep: bool, fix: bool) -> None:
    """Check that the store is whole, and that everything in it is what the receipts say.

    After the engine's own check, each receipt is read again, and states, conflicts, counters, the index of phone
    numbers, attributions, sends and figures are compared with what the receipts say. Receiving goes on meanwhile. Run
    it before upgrades, after power cuts, and after restoring a backup.

    Exit code 3 with findings, 7 where receipts themselves are damaged.

    \b
      smsreceipt check
      smsreceipt check --fix
      smsreceipt check --json | jq -c '[.finding, .identity, .stored, .expected]'
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import check

    check.run(app, deep=deep, fix=fix)

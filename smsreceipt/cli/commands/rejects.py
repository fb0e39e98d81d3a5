"""`smsreceipt rejects`: what could not be decoded. Look at it, decode it again, or drop it."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli.options import Group
from smsreceipt.cli.options import command as make
from smsreceipt.errors import UsageError
from smsreceipt.model import Kind

command = Group("rejects", help="Look at what could not be decoded; retry or drop it.")


@make("list", data=True)
def list_command(app: App) -> None:
    """List the rejects, oldest first, each with the reason why."""
    from smsreceipt.runs import rejects

    rejects.list_rejects(app)


@make("show", data=True)
@click.argument("reject_id", metavar="ID")
@click.option("--raw", is_flag=True, help="The bytes as they were received, and nothing else.")
def show_command(app: App, reject_id: str, *, raw: bool) -> None:
    """Show one reject: where it came from, what is wrong, and what it looks like.

    ID may be shortened as long as only one reject begins with it. Masked, the preview shows the structure of the
    bytes; with --reveal their content, harmless to a terminal.
    """
    from smsreceipt.runs import rejects

    rejects.show_reject(app, reject_id, raw=raw)


@make("retry")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, envvar="SMSRECEIPT_REJECTS_RETRY_ALL", help="Every reject.")
@click.option("--kind", metavar="KIND", help="Read them as this message type.")
def retry_command(app: App, ids: tuple[str, ...], *, everything: bool, kind: str | None) -> None:
    """Decode rejects again; store what can be read now.

    After an upgrade, or with the --kind that nothing told. What still cannot be read stays as it is. Bytes that did
    not fit their checksum are believed only when their ID is named.
    """
    if bool(ids) == everything:
        raise UsageError("name the rejects to retry, or say --all")
    from smsreceipt.runs import retry

    retry.run(app, ids, Kind(kind) if kind else None)


@make("drop")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop_command(app: App, ids: tuple[str, ...], *, yes: bool) -> None:
    """Forget rejects for good: the only copy of these bytes goes."""
    from smsreceipt.runs import rejects

    rejects.drop_rejects(app, ids, confirm=None if yes else lambda count: _ask(app, count))


def _ask(app: App, count: int) -> None:
    if not app.stdin_is_tty:
        raise UsageError("nobody is there to be asked whether to drop", hint="Say --yes.")
    click.confirm(f"Drop {count} reject{'s' if count > 1 else ''} for good?", abort=True, err=True)


for _command in (list_command, show_command, retry_command, drop_command):
    command.add_command(_command)

"""`smsreceipt rejects`: list, show, retry and drop what could not be decoded."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli.added import limit_option
from smsreceipt.cli.confirm import confirm
from smsreceipt.cli.filters import kind_option
from smsreceipt.cli.options import Group, cli_command, option
from smsreceipt.cli.words import Words
from smsreceipt.errors import UsageError
from smsreceipt.language import _, n_
from smsreceipt.model import Kind, Reason

command = Group("rejects", help="Look at what could not be decoded; retry or drop it.")


@cli_command("list", data=True)
@limit_option("At most N: in a table the newest (50 unless told), in json and csv the first.")
def list_command(app: App, limit: int | None) -> None:
    """List the rejects, oldest first, each with the reason why."""
    from smsreceipt.runs import rejects

    rejects.list_rejects(app, limit)


@cli_command("show", data=True)
@click.argument("reject_id", metavar="ID")
@option("--raw", is_flag=True, help="The bytes as they were received, and nothing else.")
def show_command(app: App, reject_id: str, *, raw: bool) -> None:
    """Show one reject: where it came from, what is wrong, and what it looks like.

    ID may be shortened as long as only one reject begins with it. Masked, the preview shows the structure of the
    bytes; with --reveal their content, harmless to a terminal.
    """
    from smsreceipt.runs import rejects

    rejects.show_reject(app, reject_id, raw=raw)


@cli_command("retry")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@option(
    "--all",
    "everything",
    is_flag=True,
    envvar="SMSRECEIPT_REJECTS_RETRY_ALL",
    help="Every reject.",
    in_template=False,
)
@kind_option("Read them as this message type.", multiple=False, example=None)
def retry_command(app: App, ids: tuple[str, ...], *, everything: bool, kind: Kind | None) -> None:
    """Decode rejects again; store what can be read now.

    After an upgrade, or with the --kind that nothing told. What still cannot be read stays as it is. Bytes that did
    not fit their checksum are believed only when their ID is named.
    """
    if bool(ids) == everything:
        raise UsageError(_("name the rejects to retry, or say --all"))
    from smsreceipt.runs import retry

    retry.run(app, ids, kind)


@cli_command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@option(
    "--all",
    "everything",
    is_flag=True,
    envvar="SMSRECEIPT_REJECTS_DROP_ALL",
    help="Every reject.",
    in_template=False,
)
@option("--origin", multiple=True, metavar="ORIGIN", help="Those of this file, queue or path.", in_template=False)
@option(
    "--reason",
    multiple=True,
    type=Words([str(reason) for reason in Reason]),
    metavar="REASON",
    help="Those with this reason, such as json or kind-unknown.",
    in_template=False,
)
@option("--yes", is_flag=True, help="Do not ask.", in_template=False)
def drop_command(
    app: App, ids: tuple[str, ...], *, everything: bool, origin: tuple[str, ...], reason: tuple[str, ...], yes: bool
) -> None:
    """Forget rejects for good: the only copy of these bytes goes.

    --origin and --reason may be repeated; with both, a reject must fit both. The origin of a file stands for every
    place in it.

    \b
      smsreceipt rejects drop --origin backup/sent.csv
      smsreceipt rejects drop --reason kind-unknown --yes
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    if bool(ids) + everything + bool(origin or reason) != 1:
        raise UsageError(_("name the rejects to drop, by their IDs, with --origin or --reason, or say --all"))
    from smsreceipt.runs import rejects

    def ask(count: int) -> None:
        confirm(app, n_("Drop {n:,} reject for good?", "Drop {n:,} rejects for good?", count), to="drop")

    rejects.drop_rejects(
        app,
        ids,
        rejects.Filter(origins=frozenset(origin), reasons=frozenset(map(Reason, reason))),
        confirm=None if yes else ask,
    )


for _command in (list_command, show_command, retry_command, drop_command):
    command.add_command(_command)

"""`smsreceipt forward`: hand receipts on to a program of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.command_group import cli_group
from smsreceipt.cli.confirm import confirm
from smsreceipt.cli.filters import filters_except, query_of
from smsreceipt.cli.options import Group, cli_command, option
from smsreceipt.cli.types import Address, Duration
from smsreceipt.cli.words import Words
from smsreceipt.errors import UsageError
from smsreceipt.language import _, n_
from smsreceipt.model.written import typed

_NOW = "now"
_AT_ONCE = 60.0  # seconds for which a run that ends by itself tries a batch


class Begin(click.ParamType[int | str]):
    """now, or a seq."""

    name = "seq"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The seq after which a new cursor begins, or "now"; fails as a usage error."""
        text = typed(value).lower()
        if text == _NOW:
            return _NOW
        if not text.isdecimal() or len(text) > 18:
            self.fail(_("{value!r} is neither now nor a seq: now, 0, 12345", value=value), param, ctx)
        return int(text)


@cli_group("forward")
@option(
    "--to",
    metavar="URL|exec:COMMAND|-",
    help="Hand them to this URL, this command (JSON lines on its standard input), or standard output.",
    example="https://app.example.com/receipts",
)
@option(
    "--name",
    metavar="CURSOR",
    default="default",
    show_default=True,
    help="Go on where the last run of this name stopped.",
)
@filters_except("after", "history", "conflicts")
@option(
    "--from",
    type=Begin(),
    metavar="now|0|SEQ",
    help="Where a new cursor begins: after what is stored now (unless told), with 0 before, or after this seq.",
    example="0",
)
@option(
    "--batch", type=click.IntRange(1, 2000), default=100, show_default=True, metavar="N", help="Receipts in a batch."
)
@option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="At most so many batches a second.",
    example=10,
)
@option(
    "--on-refusal",
    type=Words(["stop", "park"]),
    default="stop",
    show_default=True,
    help="Stop before a receipt that is refused, or note it and go on.",
)
@option(
    "--retry-for",
    type=Duration(),
    metavar="TIME",
    help="Give up (exit 5) when a batch is not taken for so long: 1m unless told, with -f never.",
    example="10m",
)
@option(
    "--timeout",
    type=Duration(positive=True),
    default="10s",
    show_default=True,
    metavar="TIME",
    help="Wait so long for each.",
)
@option("-f", "--follow", is_flag=True, help="Go on with what comes until stopped.")
@option("--as-provider", is_flag=True, help="Send the bodies as the provider pushes them.")
@option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Sign with the secrets in this file, one a line; else with that in SMSRECEIPT_FORWARD_SECRET.",
    example="forward.secret",
)
@option(
    "--metrics-bind",
    type=Address(off=True),
    metavar="HOST:PORT|off",
    help="Let Prometheus find /metrics here; off unless told.",
    example="127.0.0.1:9465",
)
def command(app: App, *, to: str | None, **chosen: Any) -> None:
    """Hand receipts on: every new statement, in the order of seq, at least once.

    A cursor in the store moves after what was confirmed: by a 2xx, by exit code 0, by a flushed line. What comes while
    nothing runs is handed on by the next run. The body is a JSON array of receipt objects. A batch that is refused
    (4xx but 408, 409, 425 and 429; exit code 65) is split until the single refused receipt is known.

    \b
      smsreceipt forward --to https://app.example.com/receipts -f
      smsreceipt forward --to exec:/usr/local/bin/import --name import --from 0
      smsreceipt forward --to - --name jq | jq .phone
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    if not to:
        raise UsageError(_("--to is missing"), hint=_("--to https://HOST/PATH, --to exec:COMMAND or --to -"))
    from dataclasses import replace

    from smsreceipt.forward import forwarder
    from smsreceipt.runs import forward

    begin = chosen.pop("from")
    query = query_of(app, {"after": None, "history": True, "conflicts": False, **chosen})
    wait = chosen["retry_for"]
    work = forwarder.Options(
        query=replace(query, bodies=False),
        batch=chosen["batch"],
        rate=chosen["rate"],
        park=chosen["on_refusal"] == "park",
        retry_for=wait if wait is not None or chosen["follow"] else _AT_ONCE,
    )
    metrics = chosen["metrics_bind"]
    options = forward.Options(
        to=to,
        name=chosen["name"],
        begin=None if begin == _NOW else begin,
        begin_given=begin is not None,
        work=work,
        follow=chosen["follow"],
        as_provider=chosen["as_provider"],
        secret_file=chosen["secret_file"],
        timeout=chosen["timeout"],
        metrics=None if metrics == "off" else metrics,
    )
    forward.run(app, options)


@cli_command("drop")
@click.argument("name", metavar="CURSOR")
@option("--yes", is_flag=True, help="Do not ask.", in_template=False)
def drop_cursor_command(app: App, name: str, *, yes: bool) -> None:
    """Delete a cursor that nobody uses any more: prune waits for it no longer. Receipts stay in the store.

    What is parked under its name is handed on no more. A later forward of this name begins anew.

    \b
      smsreceipt forward drop orders --yes
    """  # noqa: D301 - the same
    from smsreceipt.runs import forward_parked

    question = _(
        "Delete the cursor {name}? Nothing is handed on under this name until a forward begins anew.", name=name
    )
    forward_parked.drop_cursor(app, name, confirm=None if yes else lambda: confirm(app, question, to="delete"))


command.add_command(drop_cursor_command)

parked = Group("parked", help="List what receivers refused; hand it on again, or forget it.")
command.add_command(parked)

_name = option("--name", metavar="CURSOR", help="Only what was handed on under this name.", example="orders")


@cli_command("list", data=True)
@_name
def list_command(app: App, *, name: str | None) -> None:
    """List what was refused and parked, with the reason.

    \b
      smsreceipt forward parked list
    """  # noqa: D301 - the same
    from smsreceipt.runs import forward_parked

    forward_parked.list_parked(app, name)


@cli_command("retry")
@click.argument("seqs", nargs=-1, metavar="[SEQ]...", type=click.IntRange(1))
@option(
    "--all",
    "everything",
    is_flag=True,
    envvar="SMSRECEIPT_FORWARD_PARKED_RETRY_ALL",
    help="Everything that is parked.",
    in_template=False,
)
@_name
def retry_command(app: App, seqs: tuple[int, ...], *, everything: bool, name: str | None) -> None:
    """Have parked receipts handed on once more.

    Whatever runs under their name does it, now or when it runs next, before it goes on. What is refused again stays
    parked.

    \b
      smsreceipt forward parked retry --all
    """  # noqa: D301 - the same
    from smsreceipt.runs import forward_parked

    _either(seqs, everything=everything)
    forward_parked.retry(app, name, seqs)


@cli_command("drop")
@click.argument("seqs", nargs=-1, metavar="[SEQ]...", type=click.IntRange(1))
@option(
    "--all",
    "everything",
    is_flag=True,
    envvar="SMSRECEIPT_FORWARD_PARKED_DROP_ALL",
    help="Everything that is parked.",
    in_template=False,
)
@_name
@option("--yes", is_flag=True, help="Do not ask.", in_template=False)
def drop_command(app: App, seqs: tuple[int, ...], *, everything: bool, name: str | None, yes: bool) -> None:
    """Forget that receipts were refused: they are handed on no more. They stay in the store.

    \b
      smsreceipt forward parked drop --all --yes
    """  # noqa: D301 - the same
    from smsreceipt.runs import forward_parked

    def ask(count: int) -> None:
        question = n_("Hand on {n:,} parked receipt no more?", "Hand on {n:,} parked receipts no more?", count)
        confirm(app, question, to="drop")

    _either(seqs, everything=everything)
    forward_parked.drop(app, name, seqs, confirm=None if yes else ask)


def _either(seqs: tuple[int, ...], *, everything: bool) -> None:
    if bool(seqs) == everything:
        raise UsageError(_("name the seqs, or say --all"), hint=_("smsreceipt forward parked list"))


for _command in (list_command, retry_command, drop_command):
    parked.add_command(_command)

"""`smsreceipt sends`: import, list and forget the sends of the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from smsreceipt.app import App
from smsreceipt.cli.added import limit_option
from smsreceipt.cli.confirm import confirm
from smsreceipt.cli.filters import (
    biz_id_option,
    bounds,
    numbers,
    out_id_option,
    phone_option,
    refuse_empty,
    since_option,
    until_option,
)
from smsreceipt.cli.options import Group, cli_command, option
from smsreceipt.cli.types import When, Zone, span
from smsreceipt.cli.words import Words, as_printed
from smsreceipt.errors import UsageError
from smsreceipt.language import _, listed, n_
from smsreceipt.model import beijing_day
from smsreceipt.store import SendQuery, SendState

command = Group("sends", help="Tell what was sent, so that what has no receipt can be found.")


@cli_command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, readable=False, allow_dash=True),
    metavar="FILE|DIR|-...",
)
@option(
    "--map",
    multiple=True,
    metavar="FIELD=NAME,…",
    example="phone=mobile,biz_id=Bid",
    help="What the list calls a field: phone=mobile,biz_id=Bid.",
)
@option("--date", type=When(), metavar="DAY", help="Beijing day of the rows that tell no time.", example="today")
@option(
    "--zone",
    type=Zone(),
    metavar="ZONE",
    help="Of the times without an offset: UTC, +08:00, Asia/Tokyo; Beijing unless told.",
    example="UTC",
)
@option(
    "--encoding",
    metavar="NAME",
    help="Of the list, where it is not recognised: gb18030, utf-16-le.",
    example="gb18030",
)
@option("--dry-run", is_flag=True, help="Only read the list and say what is bad; store nothing.", in_template=False)
def import_command(app: App, files: tuple[str, ...], **chosen: Any) -> None:
    """Enter what was sent, from tables (CSV, .xlsx), JSON, or logs of SendSms calls.

    Needs the number, the BizId, and the time or day of each send; keeps OutId, template, signature and billed parts
    where they are told, never the text. Importing again changes nothing, or completes what is known. Bad rows are
    told and left out, and the exit code is 3; so it is when a list has no row. The files of a folder are read in the
    order of their paths.

    \b
      smsreceipt sends import sent-2026-11-20.csv
      smsreceipt sends import --map phone=mobile,sent_at=created app.log.gz
      psql -qc "COPY sms TO STDOUT CSV HEADER" | smsreceipt sends import -
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.ledger import Form
    from smsreceipt.runs import import_sends

    day = beijing_day(span(chosen["date"], app.now())[0]) if chosen["date"] else None
    form = Form(_names(chosen["map"]), day, chosen["encoding"], chosen["zone"])
    import_sends.run(app, files, import_sends.Options(form, dry_run=chosen["dry_run"]))


def _names(words: Iterable[str]) -> dict[str, str]:
    """The fields with their names in the list. Raises UsageError."""
    from smsreceipt.ledger import FIELDS

    found: dict[str, str] = {}
    fields = "|".join(FIELDS)
    for word in re.split(rf",|[，、](?=\s*(?:{fields})\s*[=＝])", ",".join(words)) if words else ():
        field, equals, name = (part.strip() for part in re.sub("＝", "=", word, count=1).partition("="))
        if field not in FIELDS or not equals or not name:
            raise UsageError(
                _("--map {word!r}: say FIELD=NAME", word=word),
                hint=_("FIELD is one of {names}.", names=listed(FIELDS)),
            )
        found[field] = name
    return found


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that list and forget have in common."""
    for add in (
        biz_id_option,
        phone_option,
        option("--date", type=When(), metavar="DAY", help="Only what was sent on this Beijing day.", example="today"),
    ):
        function = add(function)
    return function


def _states_in_tables() -> dict[str, tuple[str, ...]]:
    from smsreceipt.output.objects.sends import STATES

    return {state: names[:2] for state, names in STATES.items()}


_state_option = option(
    "--state",
    multiple=True,
    type=Words([str(state) for state in SendState], as_printed(_states_in_tables)),
    metavar="STATE",
    example="open",
    help="Only open (no final receipt), with_receipt, waiting or no_record (as the provider said).",
)


def list_filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filter options of sends to a command."""
    return _filters(since_option(until_option(out_id_option(_state_option(function)))))


@cli_command("list", data=True)
@list_filters
@limit_option("At most N: in a table the newest (50 unless told), else the first.")
def list_command(app: App, *, limit: int | None, **chosen: Any) -> None:
    """List what was sent, by day and BizId, each with what is known of its receipt.

    \b
      smsreceipt sends list --date yesterday --state open
      smsreceipt sends list --since 2d --state no_record --json | jq -r .phone
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import sends

    sends.list_sends(app, send_query(app, chosen), limit)


def send_query(app: App, chosen: dict[str, Any]) -> SendQuery:
    """The SendQuery of the options. Raises UsageError if they are not valid together."""
    for name in ("phone", "biz_id", "out_id"):
        refuse_empty(chosen.get(name, ()), f"--{name.replace('_', '-')}")
    begin, end = bounds(app.now(), chosen["date"], chosen.get("since"), chosen.get("until"))
    return SendQuery(
        phones=_phones(app, chosen["phone"]),
        biz_ids=chosen["biz_id"],
        out_ids=chosen.get("out_id", ()),
        states=[SendState(state) for state in chosen.get("state", ())],
        since=begin,
        until=end,
    )


def _phones(app: App, words: tuple[str, ...]) -> list[str]:
    """Phone numbers in the form of the ledger. Raises UsageError, without the word, for one that is not valid."""
    if not words:
        return []
    from smsreceipt.ledger import InvalidValue, number_of

    try:
        return [number_of(word) for word in numbers(app, words)]
    except InvalidValue as exc:
        raise UsageError(_("{what}: {reason}", what="--phone", reason=exc)) from exc


@cli_command("forget")
@option("--before", type=When(), metavar="DAY", example="90d", help="What was sent before this Beijing day.")
@_filters
@option("--yes", is_flag=True, help="Do not ask.", in_template=False)
def forget_command(app: App, *, before: str | None, yes: bool, **chosen: Any) -> None:
    """Forget what was sent: by day, number or BizId. Receipts stay.

    \b
      smsreceipt sends forget --before 2026-08-01 --yes
      echo 13800000001 | smsreceipt sends forget --phone - --yes
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    if before is None and not (chosen["date"] or chosen["phone"] or chosen["biz_id"]):
        raise UsageError(_("name the sends to forget"), hint=_("With --before, --date, --phone or --biz-id."))
    if before is not None and chosen["date"]:
        raise UsageError(_("--date is one day; it cannot go with --before"))
    if "-" in chosen["phone"] and not yes:
        raise UsageError(_("nobody can be asked whether to forget while - reads the numbers"), hint=_("Say --yes."))
    query = send_query(app, chosen)
    if before is not None:
        from dataclasses import replace

        query = replace(query, until=span(before, app.now())[0])
    from smsreceipt.runs import sends

    def ask(count: int) -> None:
        if count == sends.COUNTED:
            question = _("Forget {n:,} or more sends for good? Receipts stay.", n=count)
        else:
            question = n_(
                "Forget {n:,} send for good? Receipts stay.", "Forget {n:,} sends for good? Receipts stay.", count
            )
        confirm(app, question, to="forget")

    sends.forget_sends(app, query, confirm=None if yes else ask)


for _command in (import_command, list_command, forget_command):
    command.add_command(_command)

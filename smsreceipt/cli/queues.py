"""The options that name queues, of the commands that look into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.cli.options import option
from smsreceipt.cli.types import MessageType, Typed

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete_queue(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The message types after NAME=."""
    from click.shell_completion import CompletionItem

    name, equals, begun = incomplete.partition("=")
    kinds = MessageType().completions(begun) if equals else ()
    return [CompletionItem(f"{name}={kind}") for kind in kinds]


class _Types(MessageType):
    """A message type, or all."""

    def completions(self, incomplete: str) -> Iterable[str]:
        """The known ones that begin so, in any case; and all."""
        every = ["all"] if "all".startswith(incomplete.casefold()) else []
        return [*every, *super().completions(incomplete)]


def queue_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --queue, --uid and --type."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def chosen_queues(chosen: Mapping[str, Any]) -> tuple[Sequence[str], str | None, Sequence[str]]:
    """The values of --queue, --uid and --type; those of the command line replace the others, which add up."""
    context = click.get_current_context()
    given = {name for name in ("queue", "uid", "type") if context.get_parameter_source(name) is _COMMAND_LINE}
    queue, uid, kinds = chosen["queue"], chosen["uid"], chosen["type"]
    if given == {"queue"}:
        return queue, None, ()
    return (queue if not given or "queue" in given else ()), uid, kinds


_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE
_OPTIONS = (
    option(
        "--queue",
        multiple=True,
        type=Typed(),
        metavar="NAME[=TYPE]",
        shell_complete=_complete_queue,
        help="A queue, and its message type where the name hides it.",
        example="Alicom-Queue-1234567890123456-SmsReport",
    ),
    option(
        "--uid",
        type=Typed(),
        metavar="UID",
        help="Account uid: with --type, queue Alicom-Queue-UID-TYPE.",
        example="1234567890123456",
    ),
    option(
        "--type",
        type=_Types(),
        multiple=True,
        metavar="TYPE",
        help="Message type of a queue named by --uid, e.g. SmsReport; all: every type, as far as its queue exists.",
        example="SmsReport",
    ),
)

"""`smsreceipt watch`: alarms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command, option
from smsreceipt.cli.types import Completed, Duration

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class RuleText(Completed[str]):
    """NAME, NAME=VALUE or NAME=off."""

    name = "rule"
    in_commas = True

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself; fails as a usage error when it is no rule."""
        from smsreceipt.insight.alarms.rules import parse

        try:
            parse(str(value))
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        return str(value)

    def completions(self, incomplete: str) -> Iterable[str]:
        """The names of the rules, and what follows the one that is written."""
        from smsreceipt.insight.alarms.rules import NAMES

        words = (f"{name}{end}" for name in NAMES for end in ("", "=off"))
        return (word for word in words if word.startswith(incomplete))


def _complete_robot(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from smsreceipt.notify.address import COMMANDS, HIDDEN

    words = [f"{kind}:{place}:" for kind in HIDDEN for place in ("env", "file")] + [f"{kind}:" for kind in COMMANDS]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


@cli_command("watch")
@option(
    "--rule",
    multiple=True,
    type=RuleText(),
    metavar="NAME[=VALUE]",
    help="Set a threshold, or NAME=off, all=off; later ones count. All rules are on.",
    example="rate=0.90",
)
@option("--every", type=Duration(), metavar="TIME", default="60s", show_default=True, help="Look again so often.")
@option("--once", is_flag=True, help="Look once, for cron: 3 says that an alarm fires.")
@option(
    "--notify",
    multiple=True,
    metavar="ROBOT",
    shell_complete=_complete_robot,
    help="Tell a robot: dingtalk, wecom, feishu, webhook, mail or apprise, then :env:NAME or :file:PATH; exec:COMMAND.",
    example="dingtalk:env:DINGTALK_URL",
)
@option(
    "--repeat",
    type=Duration(),
    metavar="TIME",
    default="1h",
    show_default=True,
    help="Tell robots again of an alarm that still fires.",
)
@option(
    "--window",
    type=Duration(),
    metavar="TIME",
    default="15m",
    show_default=True,
    help="Compare the messages of so long with the same hour of the 7 days before.",
)
@option("--test", is_flag=True, in_template=False, help="Send a test message to every robot, and end.")
@option("--nagios", is_flag=True, in_template=False, help="Look once, in the form of a Nagios plugin.")
def command(
    app: App,
    *,
    rule: tuple[str, ...],
    every: float,
    once: bool,
    notify: tuple[str, ...],
    repeat: float,
    window: float,
    test: bool,
    nagios: bool,
) -> None:
    """Watch for what is wrong, print each change once, and tell robots.

    Rules: silence, rate, latency, code, backlog, rejects, conflicts, no_receipt, optout, disk, fresh. An alarm is told
    when it begins, again each --repeat, and when it has cleared. The state is in the store: run it from cron with
    --once, or several of them; nothing is told twice.

    \b
      smsreceipt watch --once --notify dingtalk:env:DINGTALK_URL
      smsreceipt watch --rule rate=0.90 --rule latency=off --notify mail:file:/etc/smsreceipt/mail
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.insight.alarms.rules import thresholds
    from smsreceipt.runs import watch, watch_robots

    if test:
        watch_robots.test(app, notify)
        return
    options = watch.Options(rules=thresholds(rule), notify=notify, repeat=repeat, window=window)
    if once or nagios:
        watch.once(app, options, nagios=nagios)
    else:
        watch.follow(app, options, max(every, 1.0))

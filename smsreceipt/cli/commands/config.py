"""`smsreceipt config`: the effective settings and their origins; files to start with."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli import COMMANDS
from smsreceipt.cli.options import Group, cli_command, option
from smsreceipt.cli.words import Words
from smsreceipt.runs.installation import UNITS

command = Group("config", help="Show the effective configuration; write a first one, units and cron lines.")


@cli_command("show", data=True)
def show_command(app: App) -> None:
    """Show the effective settings, and where each comes from.

    The keys of the provider's accounts are never read here, so they cannot be shown.
    """
    from smsreceipt.cli.config_keys import config_keys
    from smsreceipt.runs import config_file

    config_file.show(app, config_keys())


@cli_command("init", reads_config=False)
@option(
    "--full", is_flag=True, help="With every key that there is, not only those that most people set.", in_template=False
)
@option("--force", is_flag=True, help="Replace the file that is there.", in_template=False)
def init_command(app: App, *, full: bool, force: bool) -> None:
    """Write a commented configuration file to start with.

    To the platform's configuration directory, or where --config says. Only you can read it.
    """
    from smsreceipt.cli.config_keys import config_keys
    from smsreceipt.runs import config_file

    config_file.init(app, config_keys(), full=full, force=force)


@cli_command("systemd", data=True)
@click.argument("names", metavar="[COMMAND]...", nargs=-1, type=Words([n for n in UNITS if n in COMMANDS]))
def systemd_command(app: App, names: tuple[str, ...]) -> None:
    """Print units of systemd for this installation, with its paths and this user.

    For pull unless told; also for listen, watch, reconcile and others.

    \b
      smsreceipt config systemd
      smsreceipt config systemd listen watch reconcile
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import installation

    installation.systemd(app, names or ("pull",))


@cli_command("cron", data=True)
def cron_command(app: App) -> None:
    """Print lines for the crontab of this user, with the paths of this installation.

    \b
      smsreceipt config cron
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import installation

    installation.cron(app, COMMANDS)


for _command in (show_command, init_command, systemd_command, cron_command):
    command.add_command(_command)

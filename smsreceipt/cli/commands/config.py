"""`smsreceipt config`: the effective settings and their origins; a configuration file to start with."""

from __future__ import annotations

from smsreceipt.app import App
from smsreceipt.cli.options import Group, cli_command, option

command = Group("config", help="Show the effective configuration, or write a first one.")


@cli_command("show", data=True)
def show_command(app: App) -> None:
    """Show the effective settings, and where each comes from.

    The keys of the provider's accounts are never read here, so they cannot be shown.
    """
    from smsreceipt.cli.config_keys import config_keys
    from smsreceipt.runs import config_file

    config_file.show(app, config_keys())


@cli_command("init", reads_config=False)
@option("--force", is_flag=True, help="Replace the file that is there.", in_template=False)
def init_command(app: App, *, force: bool) -> None:
    """Write a commented configuration file to start with.

    To the platform's configuration directory, or where --config says. Only you can read it.
    """
    from smsreceipt.cli.config_keys import config_keys
    from smsreceipt.runs import config_file

    config_file.init(app, config_keys(), force=force)


for _command in (show_command, init_command):
    command.add_command(_command)

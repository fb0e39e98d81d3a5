"""`smsreceipt completion`: the script that teaches a shell our words."""

from __future__ import annotations

import click

from smsreceipt.cli.app import App
from smsreceipt.cli.options import command as make


@make("completion", data=True)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(app: App, shell: str) -> None:
    r"""Print the completion script of a shell.

    \b
    bash:  smsreceipt completion bash > ~/.local/share/bash-completion/completions/smsreceipt
    zsh:   smsreceipt completion zsh > "${fpath[1]}/_smsreceipt"
    fish:  smsreceipt completion fish > ~/.config/fish/completions/smsreceipt.fish
    """
    app.write(script(shell).encode())


def script(shell: str) -> str:
    """The script for bash, zsh or fish. The shell itself need not be there."""
    from click.shell_completion import get_completion_class

    from smsreceipt.cli import tool

    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - click knows all three
        raise AssertionError(shell)
    maker = found(tool, {}, "smsreceipt", "_SMSRECEIPT_COMPLETE")
    return f"{(maker.source_template % maker.source_vars()).strip()}\n"

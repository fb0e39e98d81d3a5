"""`smsreceipt completion`: the completion script of a shell."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli.options import cli_command
from smsreceipt.cli.words import Words


@cli_command("completion", data=True)
@click.argument("shell", type=Words(["bash", "zsh", "fish"]))
def command(app: App, shell: str) -> None:
    """Print the completion script of a shell.

    Write it where the shell looks for it; make the directory first where it is not there.

    \b
      smsreceipt completion bash > ~/.local/share/bash-completion/completions/smsreceipt
      smsreceipt completion zsh > ~/.zfunc/_smsreceipt
      smsreceipt completion fish > ~/.config/fish/completions/smsreceipt.fish
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    app.write(script(shell).encode())


def script(shell: str) -> str:
    """The script for bash, zsh or fish, which need not be installed."""
    from click.shell_completion import get_completion_class

    from smsreceipt.cli import tool

    found = get_completion_class(shell)
    if found is None:  # pragma: no cover - click knows all three
        raise AssertionError(shell)
    maker = found(tool, {}, "smsreceipt", "_SMSRECEIPT_COMPLETE")
    # The fish script splits an answer at every comma, and descriptions have commas.
    template = maker.source_template.replace('string split ","', 'string split --max 1 ","')
    return f"{(template % maker.source_vars()).strip()}\n"

"""`smsreceipt store`: what the store is; upgrades, copies to another engine, and the script for Citus."""

from __future__ import annotations

import click

from smsreceipt.app import App
from smsreceipt.cli.options import Group, cli_command

command = Group("store", help="Look after the store: its facts, upgrades, copies.")


@cli_command("info", data=True)
def info_command(app: App) -> None:
    """Tell what the store is: engine, schema, size, counts, and who writes to it.

    The horizon is the last seq that readers are shown. Writers are told of PostgreSQL only: each process that has the
    store open for writing, and when it last wrote.

    \b
      smsreceipt store info
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.runs import store

    store.info(app)


@cli_command("upgrade")
def upgrade_command(app: App) -> None:
    """Bring the schema of the store up to date.

    A file is upgraded by whatever writes to it. A store in PostgreSQL is upgraded by this alone, since other machines
    may still run the older program, which cannot use it afterwards. Makes the tables where there are none.

    \b
      smsreceipt store upgrade
    """  # noqa: D301 - the same
    from smsreceipt.runs import store

    store.upgrade(app)


@cli_command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy_command(app: App, source: str, target: str) -> None:
    """Copy a whole store to another engine, or another file.

    FROM and TO are paths or postgresql:// URLs. Receipts keep their seq, so a reader goes on with its --after. TO must
    be empty: a store in use is refused. Stop what writes to FROM first. A copy that was cut off is taken up by the same
    command. At the end both stores are read, and must hold the same.

    \b
      smsreceipt store copy receipts.db copy.db
      smsreceipt store copy receipts.db postgresql://writer@db.example/sms
    """  # noqa: D301 - the same
    from smsreceipt.runs import copy_store

    copy_store.run(app, source, target)


@cli_command("citus-sql")
def citus_command(app: App) -> None:
    """Print the script that distributes the tables over a Citus cluster.

    smsreceipt never does that on its own. The script says who runs it, where and when.

    \b
      smsreceipt store citus-sql
    """  # noqa: D301 - the same
    from smsreceipt.runs import store

    store.citus_sql(app)


for _command in (info_command, upgrade_command, copy_command, citus_command):
    command.add_command(_command)

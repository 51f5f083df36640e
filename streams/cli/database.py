"""``icam migrate``"""

from __future__ import annotations

import click

from streams.cli.output import as_json, emit
from streams.runtime.settings import Settings
from streams.store import address
from streams.store import migrate as migrations


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if some are pending.")
@as_json
def migrate(check: bool, json_: bool) -> None:
    """Apply the pending database migrations. Safe to repeat, to kill and to run concurrently.

    Connect to PostgreSQL itself as the owner of the tables, not through a pooler. Exit code 1 when
    the tables are newer than this version.

    \b
    Examples:
      icam migrate
      icam migrate --check
    """
    url = address.read(Settings().database).for_psycopg()
    newer = migrations.newer(url)
    names = migrations.pending(url) if check else migrations.apply(url)
    if json_:
        emit({"pending" if check else "applied": names} | ({"newer": newer} if newer else {}))
    elif newer:
        for name in newer:
            click.echo(f"newer  {name}")
        click.echo("the tables are newer than this version: install the version that made them")
    else:
        for name in names:
            click.echo(f"{'pending' if check else 'applied'}  {name}")
        if not names:
            click.echo("the database schema is up to date")
    if newer or (check and names):
        raise SystemExit(1)

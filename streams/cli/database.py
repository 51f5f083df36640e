"""``icam migrate``"""

from __future__ import annotations

import click

from streams.cli.output import as_json, emit
from streams.runtime.settings import Settings
from streams.store import migrate as migrations


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if migrations are pending.")
@as_json
def migrate(check: bool, json_: bool) -> None:
    """Apply the pending database migrations. Safe to repeat and to run concurrently.

    \b
    Examples:
      icam migrate
      icam migrate --check
    """
    url = Settings().database.url.get_secret_value()
    names = migrations.pending(url) if check else migrations.apply(url)
    if json_:
        emit({"pending" if check else "applied": names})
    else:
        for name in names:
            click.echo(f"{'pending' if check else 'applied'}  {name}")
        if not names:
            click.echo("the database schema is up to date")
    if check and names:
        raise SystemExit(1)

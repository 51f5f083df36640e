"""``icam migrate``"""

from __future__ import annotations

import click

from streams.cli.output import as_json, emit
from streams.runtime.settings import Settings
from streams.store import migrate as migrations


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when migrations are pending.")
@as_json
def migrate(check: bool, json_: bool) -> None:
    """Bring the database's tables up to date; safe to run again and from several places.

    \b
    Examples:
      icam migrate
      icam migrate --check
    """
    url = Settings().database.url.get_secret_value()
    found = migrations.pending(url) if check else migrations.apply(url)
    if json_:
        emit({"pending" if check else "applied": found})
    else:
        for name in found:
            click.echo(f"{'pending' if check else 'applied'}  {name}")
        if not found:
            click.echo("the tables are up to date")
    if check and found:
        raise SystemExit(1)

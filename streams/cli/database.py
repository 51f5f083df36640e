"""``icam migrate``"""

from __future__ import annotations

from functools import partial
from getpass import getuser

import click

from streams import reference
from streams.casework import versions
from streams.cli.output import as_json, echo, emit, with_connection
from streams.runtime.settings import Settings
from streams.store import address
from streams.store import migrate as migrations
from streams.store.pool import Connection


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if some are pending.")
@click.option("--contract", is_flag=True, help="Also take away what this version does not need.")
@as_json
def migrate(check: bool, contract: bool, json_: bool) -> None:
    """Apply the pending database migrations. Safe to repeat, to kill and to run concurrently.

    Workers of the previous version run on while it adds. Run it with --contract once none of them
    runs: they can't work on what that leaves. A new database gets everything at once.

    If nothing was published yet, it publishes the policy and the directory: those by which the
    cases were decided last, or in a new database those of the installation.

    Connect to PostgreSQL itself as the owner of the tables, not through a pooler. Exit code 1 when
    the tables are newer than this version.

    \b
    Examples:
      icam migrate
      icam migrate --check
      icam migrate --contract
    """
    settings = Settings()
    url = address.read(settings.database).for_psycopg()
    published: list[str] = []
    newer = migrations.newer(url)
    if check:
        waiting = migrations.pending(url)
        names = waiting.now + (waiting.later if contract else [])
    else:
        names = migrations.apply(url, contract=contract)
        if not newer:
            published = with_connection(settings, partial(_publish, settings))
        waiting = migrations.pending(url)
    later = [] if contract else waiting.later
    if json_:
        emit(
            {"pending" if check else "applied": names}
            | ({"later": later} if later else {})
            | ({"newer": newer} if newer else {})
            | ({"published": published} if published else {})
        )
    elif newer:
        for name in newer:
            echo(f"newer  {name}")
        echo("the tables are newer than this version: install the version that made them")
    else:
        for name in names:
            echo(f"{'pending' if check else 'applied'}  {name}")
        for name in published:
            echo(f"published  {name}")
        for name in later:
            echo(f"later  {name}")
        if later:
            echo("once no worker of the previous version runs: icam migrate --contract")
        elif not names:
            echo("the database schema is up to date")
    if newer or (check and names):
        raise SystemExit(1)


async def _publish(settings: Settings, conn: Connection) -> list[str]:
    """Publish the tables in use if none was published; return their kinds and versions."""
    given = reference.load(*settings.reference_files)
    return await versions.publish_first(conn, given, who=getuser())

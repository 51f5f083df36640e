"""The ``icam`` command.

Exit codes: 0 all is well; 1 something was found (an audit finding, a rejected replay, a failed
check); 2 the command was typed wrongly; 3 a service can't be reached.
"""

from __future__ import annotations

import sys
from typing import Any

import asyncpg
import click
import psycopg
from pydantic import ValidationError

from streams.audit.errors import AuditError
from streams.cli import (
    audit,
    database,
    dead_letters,
    demo,
    doctor,
    read,
    rebuild,
    schemas,
    stream,
    worker,
)
from streams.domain.directory import DirectoryError
from streams.domain.policy import PolicyError
from streams.embedded.errors import EmbeddedError
from streams.publish import PublishError
from streams.repair import RepairError
from streams.store.errors import is_transient
from streams.topics import TopicsError

FOUND, UNREACHABLE = 1, 3


class _Icam(click.Group):
    """Turns the errors that a person can act on into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (RepairError, PolicyError, DirectoryError, EmbeddedError) as error:
            _fail(str(error), FOUND)
        except (TopicsError, PublishError, AuditError) as error:
            _fail(str(error), UNREACHABLE)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            _fail(f"settings: {wrong}", 2)
        except (asyncpg.UndefinedTableError, psycopg.errors.UndefinedTable):
            _fail("the database has no tables yet: run icam migrate", FOUND)
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError) as error:
            _fail(f"database: {error}; check ICAM_DATABASE__URL", UNREACHABLE)
        except psycopg.OperationalError as error:
            _fail(f"database: {str(error).splitlines()[0]}; check ICAM_DATABASE__URL", UNREACHABLE)
        except Exception as error:
            if not is_transient(error):
                raise
            says = str(error) or type(error).__name__
            _fail(f"database: {says}; check ICAM_DATABASE__URL", UNREACHABLE)


def _fail(message: str, code: int) -> None:
    click.echo(f"icam: {message}", err=True)
    sys.exit(code)


@click.group(cls=_Icam, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="icam-streams")
def main() -> None:
    """Follow-up of return counselling as a stream: events in, cases projected and routed,
    explained escalations out. The system proposes; officials decide.

    \b
    Begin here:
      icam demo                      watch everything work on embedded servers
      icam doctor                    see what is configured and what answers
    Run it:
      icam migrate && icam topics    prepare the database and the topics
      icam worker                    process events until stopped
    Look inside:
      icam case CASE_ID              one case: where it is, why, what stands
      icam escalations --level 3     what is proposed to officials
      icam dead-letters list         records that wait for a person
      icam audit                     check every promise, independently
      icam rebuild --check           make every projection again from the log, and compare

    Settings come from the environment: ICAM_KAFKA__BOOTSTRAP_SERVERS, ICAM_DATABASE__URL and
    those that `icam doctor` lists. Exit codes: 0 well, 1 something found, 2 typed wrongly,
    3 a service can't be reached.
    """


for command in (
    demo.demo,
    worker.worker,
    database.migrate,
    stream.topics,
    stream.publish,
    stream.simulate,
    read.case,
    read.escalations,
    dead_letters.dead_letters,
    audit.audit,
    rebuild.command,
    schemas.schemas,
    doctor.doctor,
):
    main.add_command(command)

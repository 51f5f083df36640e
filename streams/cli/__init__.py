"""The ``icam`` command.

Exit codes: 0 all is well; 1 something was found (an audit finding, a rejected replay, a failed
check); 2 the command was typed wrongly; 3 a service can't be reached.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

_COMMANDS: Final = {
    "demo": "demo:demo",
    "worker": "worker:worker",
    "exporter": "exporter:exporter",
    "canary": "canary:canary",
    "board": "board:board",
    "migrate": "database:migrate",
    "topics": "topics:topics",
    "publish": "publish:publish",
    "simulate": "simulate:simulate",
    "case": "inspect:case",
    "escalations": "inspect:escalations",
    "dead-letters": "dead_letters:dead_letters",
    "audit": "audit:audit",
    "rebuild": "rebuild:command",
    "schemas": "schemas:schemas",
    "doctor": "doctor:doctor",
}
"""Where each command is: the module and its name there, imported when the command is called. A
worker would carry 15 MB of what only others need."""


class _Icam(click.Group):
    """Knows its commands by name, and turns errors that a person can act on into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return sorted(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(f"streams.cli.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from streams.cli.errors import describe_error

            found = describe_error(error)
            if found is None:
                raise
            click.echo(f"icam: {found.message}", err=True)
            ctx.exit(found.code)


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
      icam exporter                  tell what the database and the brokers know, as metrics
      icam canary                    send one event a minute through all of it
      icam board                     serve the live page
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

"""The ``icam`` command.

Exit codes: 0 success; 1 findings (an audit finding, a rejected replay, a failed check); 2 usage
error; 3 not done, try again: a service is unreachable, or a process was killed.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

import click

from schemas.visible import visible
from streams.runtime import core_dumps, logs
from streams.runtime.home import ignore_unreadable_home

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
    "access": "access:access",
    "case": "inspect:case",
    "explain": "explain:explain",
    "escalations": "inspect:escalations",
    "worklist": "worklist:worklist",
    "dead-letters": "dead_letters:dead_letters",
    "gaps": "gaps:gaps",
    "offices": "offices:offices",
    "policy": "policy:policy",
    "audit": "audit:audit",
    "checkpoint": "checkpoint:checkpoint",
    "rebuild": "rebuild:command",
    "report": "report:report",
    "schemas": "schemas:schemas",
    "studio": "studio:studio",
    "whatif": "whatif:command",
    "doctor": "doctor:doctor",
}
"""Module and function of each command. A command's module is imported only when the command runs:
importing all of them would add 15 MB to every worker."""


class _Icam(click.Group):
    """Import commands on demand, and print an error that a person can act on as one line."""

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
        core_dumps.turn_off()
        logs.hide_texts()
        ignore_unreadable_home()
        from streams.runtime import variables
        from streams.runtime.settings import Settings

        try:
            variables.expect_known(os.environ, Settings)
        except variables.UnknownVariable as error:
            raise click.UsageError(str(error)) from None
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = visible(error.message)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from streams.cli.errors import describe_error

            described = describe_error(error)
            if described is None:
                raise
            click.echo(f"icam: {visible(described.message)}", err=True)
            ctx.exit(described.code)


@click.group(cls=_Icam, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="icam-streams")
def main() -> None:
    """Follow up return counselling as a stream of events: project and route each case, and raise
    escalations with an explanation. The system proposes; officials decide.

    \b
    Start here:
      icam demo                      run the whole pipeline on embedded servers
      icam doctor                    check the settings and the services
    Run it:
      icam migrate && icam topics    prepare the database and the topics
      icam worker                    process events until stopped
      icam exporter                  export database and broker metrics
      icam canary                    send one synthetic event per minute end to end
      icam board                     serve the live page
    Inspect it:
      icam case CASE_ID              show one case: its route, its escalations, its log
      icam explain CASE_ID           explain what is proposed, and what would change it
      icam escalations --level 3     list the standing escalations of one level
      icam worklist --office gent    list what an office must do, by due date
      icam access CASE_ID            show who read about one case, what and why
      icam dead-letters list         list the records that need manual handling
      icam policy list               list the versions of the policy
      icam whatif --policy F         try a draft of the policy on the recorded history
      icam gaps list                 list the records that were gone before they were read
      icam studio DRAFTS             try drafts of the policy on a page
      icam offices plan --change F   show what a changed office directory would move
      icam audit                     verify every guarantee independently
      icam checkpoint sign           sign what the cases hold
      icam rebuild --check           rebuild every projection from the log and compare
      icam report fairness           compare groups of cases, in counts that identify nobody

    Settings come from the environment: ICAM_KAFKA__BOOTSTRAP_SERVERS, ICAM_DATABASE__URL and
    those that `icam doctor` lists. Exit codes: 0 success, 1 findings, 2 usage error,
    3 not done, try again: a service is unreachable, or a process was killed.
    """

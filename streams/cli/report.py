"""``icam report``: statistics over all cases, without personal data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.padding import Padding
from rich.text import Text

from schemas.visible import visible
from streams.cli.in_force import tables_in_force
from streams.cli.inspect import language
from streams.cli.output import as_json, console, emit, table, with_pool
from streams.cli.worklist import known_offices
from streams.domain.explain.wording import Wording
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.services.board.steps import Steps
from streams.services.statistics import months, text
from streams.services.statistics.cells import COLUMNS, Line, Published
from streams.services.statistics.fairness import Fairness, compare, to_json
from streams.services.statistics.reading import PeriodError, read
from streams.store.pool import Pool

_Command = TypeVar("_Command", bound=Callable[..., Any])
_KEY: Final = "ICAM_BOARD__STEP_KEY"


@click.group()
def report() -> None:
    """Report on all cases in shown counts, without personal data and without a score.

    \b
    Examples:
      icam report fairness --lang nl
      icam report monthly --since 2026-01 --until 2026-06 --csv half-year.csv
    """


def _month(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        months.first_day(value)
    except ValueError:
        raise click.BadParameter(
            "give a month such as 2026-03: the counts of single days would add up to small ones",
            param=param,
        ) from None
    return value


def _period(command: _Command) -> _Command:
    """Add the options of the period."""
    since = click.option(
        "--since",
        metavar="MONTH",
        callback=_month,
        help="First month, such as 2026-03. Default: eleven months before the last.",
    )
    until = click.option(
        "--until",
        metavar="MONTH",
        callback=_month,
        help="Last month, included. Default: the last one that is over.",
    )
    return since(until(command))


_csv = click.option(
    "--csv",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the monthly counts to this file as CSV.",
)


@report.command()
@_period
@_csv
@language
@as_json
def fairness(
    since: str | None, until: str | None, file: Path | None, lang: str, json_: bool
) -> None:
    """Compare interviews, misses, proposals and answers between groups of cases.

    The groups are those of language, channel of the order, track, office and delivery of the
    invitation. Shares and differences have 95% intervals; a reading in plain words follows, and
    what the figures do not say. Counts are shown in steps of five, as on the live page, so
    ICAM_BOARD__STEP_KEY must be set, to the same value for everybody. Run it as icam_auditor. It
    only reads.

    \b
    Examples:
      icam report fairness
      icam report fairness --since 2026-01 --until 2026-06 --lang de
      icam report fairness --json --csv monthly.csv

    Exit codes: 0 success, 2 usage error, 3 the database is unreachable or refuses the role.
    """
    published, ref = _read(since, until)
    if file is not None:
        _write(file, _as_csv(published))
    found = compare(published)
    if json_:
        emit(to_json(found) | {"language": lang} | _in_words(found, ref.wording(lang)))
    else:
        _print(found, ref.wording(lang))


@report.command()
@_period
@_csv
@as_json
def monthly(since: str | None, until: str | None, file: Path | None, json_: bool) -> None:
    """Print the counts of each month and group as CSV, for statisticians.

    Without --csv to standard output; with --json as a list of objects. docs/fairness.md says what
    each column counts. The order of the columns never changes. Counts are shown in steps of five,
    as on the live page, so ICAM_BOARD__STEP_KEY must be set, to the same value for everybody. Run
    it as icam_auditor. It only reads.

    \b
    Examples:
      icam report monthly --since 2026-01 --until 2026-06
      icam report monthly --csv monthly.csv

    Exit codes: 0 success, 2 usage error, 3 the database is unreachable or refuses the role.
    """
    published, _ = _read(since, until)
    if file is not None:
        _write(file, _as_csv(published))
    if json_:
        emit([dict(zip(COLUMNS, _columns(line), strict=True)) for line in published.lines()])
    elif file is None:
        click.echo(_as_csv(published), nl=False)


def _read(since: str | None, until: str | None) -> tuple[Published, Reference]:
    """Return the shown counts and the reference data. Blocks.

    Raises:
        click.UsageError: there is no key, or the period can't be used.
    """
    settings = Settings()
    if settings.board.step_key is None:
        raise click.UsageError(
            f"set {_KEY} to the value that the live page uses: the counts of one month shown under "
            "two keys say more than under one"
        )
    steps = Steps(settings.board.step_key.get_secret_value().encode())

    async def work(pool: Pool) -> tuple[Published, Reference]:
        async with pool.acquire() as conn:
            ref = await tables_in_force(settings, conn)
        return await read(pool, ref, steps, known_offices(ref), since, until), ref

    try:
        return with_pool(settings, work)
    except PeriodError as error:
        raise click.UsageError(str(error)) from None


def _as_csv(published: Published) -> str:
    """Return the monthly counts as RFC 4180 says, in UTF-8; a cell without a count is empty."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(COLUMNS)
    for line in published.lines():
        month, by, row, *shown = _columns(line)
        rows.writerow((month, by, _safe(visible(str(row))), *shown))
    return written.getvalue()


def _columns(line: Line) -> tuple[str | int | None, ...]:
    return (line.month, line.by, line.row, *line.shown)


def _safe(row: str) -> str:
    """Return a name that no spreadsheet takes for a formula."""
    return f"'{row}" if row.startswith(("=", "+", "-", "@")) else row


def _write(file: Path, content: str) -> None:
    try:
        file.write_bytes(content.encode())
    except OSError as error:
        raise click.UsageError(f"--csv: {file} can't be written: {error.strerror}") from None


def _in_words(found: Fairness, wording: Wording) -> dict[str, Any]:
    return {
        "title": text.title(found, wording),
        "reading": list(text.reading(found, wording)),
        "limits": list(text.limits(found, wording)),
    }


def _print(found: Fairness, wording: Wording) -> None:
    out = console()
    out.print(text.title(found, wording), markup=False)
    for shown in text.tables(found, wording):
        if shown.rows:
            out.print()
            out.print(table(shown.title, shown.columns, shown.rows))
    for heading, lines in (
        ("fairness.reading", text.reading(found, wording)),
        ("fairness.limits", text.limits(found, wording)),
    ):
        out.print()
        out.print(wording.sentence(heading), markup=False)
        for line in lines:
            out.print(Padding(Text(visible(line)), (0, 0, 0, 2)))

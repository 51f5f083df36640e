"""Marked contents go through every path to a reader, and are seen where nobody may see them.

Each marker stands for one kind of secret: what a record holds, what a header holds, a password, the
content of a key file, and a case where it may not appear.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import logging
import os
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aiokafka.errors
import faust
import mode
import psycopg
import pytest
from click.testing import CliRunner, Result
from prometheus_client import generate_latest
from pydantic import BaseModel, TypeAdapter, ValidationError
from structlog.testing import capture_logs

import schemas
import streams
from schemas.types import Message, fields_of
from streams.casework import unit_of_work
from streams.cli import main
from streams.embedded import process
from streams.embedded.broker import EmbeddedBroker
from streams.intake.record import Record
from streams.runtime import logs
from streams.runtime.settings import DatabaseSettings
from streams.store.pool import open_pool
from streams.worker.process import IcamWorker
from tests.deploy.files import ROLES
from tests.domain import given
from tests.world import World

PAYLOAD: Final = "MarkPayload7f3a"
HEADER: Final = "MarkHeader91bc"
PASSWORD: Final = "MarkPassword55de"  # noqa: S105 - none
KEY_FILE: Final = "MarkKeyFile08aa"
CASE: Final = "case-mark-2c4e"
MARKERS: Final = (PAYLOAD, HEADER, PASSWORD, KEY_FILE, CASE)


def _clean(text: str, *but: str) -> bool:
    """Return whether a text has no marker but these, nor one in hexadecimal or escaped."""
    forms = {form for mark in MARKERS if mark not in but for form in (mark, mark.encode().hex())}
    return not any(form.lower() in text.lower() for form in forms)


def _value(**changed: Any) -> bytes:
    return json.dumps(json.loads(given.miss(2).event.to_json()) | changed).encode()


def _marked(name: str, value: bytes = HEADER.encode()) -> Callable[[World], Record]:
    """Return a record whose header of this name is marked, or that has one more."""

    def record(world: World) -> Record:
        sent = world.record(given.miss(2), CASE)
        others = tuple(pair for pair in sent.headers if pair[0] != name)
        return sent._replace(headers=(*others, (name, value)))

    return record


def _with_value(value: bytes) -> Callable[[World], Record]:
    return lambda world: world.record(given.miss(2), CASE, value=value)


RECORDS: Final[dict[str, Callable[[World], Record]]] = {
    "no JSON": _with_value(PAYLOAD.encode()),
    "JSON that breaks off": _with_value(f'{{"name": "{PAYLOAD}'.encode()),
    "a repeated field": _with_value(f'{{"{PAYLOAD}": 1, "{PAYLOAD}": 2}}'.encode()),
    "no UTF-8": _with_value(PAYLOAD.encode() + b"\xff"),
    "an unknown field": _with_value(_value(**{PAYLOAD: PAYLOAD})),
    "a field spelled nearly": _with_value(_value(sequense=PAYLOAD)),
    "a wrong type": _with_value(_value(sequence=PAYLOAD)),
    "an unknown code": _with_value(_value(justification=PAYLOAD)),
    "a wrong time": _with_value(_value(scheduled_at=PAYLOAD)),
    "a national number": _with_value(_value(appointment_id=f"{PAYLOAD}-85073003328")),
    "structured, no envelope": _with_value(f'{{"specversion": "{PAYLOAD}"}}'.encode()),
    "a header's value": _marked("more"),
    "a header's name": _marked(HEADER),
    "a subject": _marked("ce_subject"),
    "a type": _marked("ce_type"),
    "a known type of an unknown version": _marked("ce_type", f"icam.{HEADER}.v9".encode()),
    "an id": _marked("ce_id"),
    "a time": _marked("ce_time"),
    "a version": _marked("ce_specversion"),
    "a content type": _marked("content-type"),
    "another key": lambda world: world.record(given.miss(2), CASE, key=PAYLOAD.encode()),
}
_BUG: Final = "an error of ours that quotes it"


@pytest.mark.server
@pytest.mark.parametrize("name", [*RECORDS, _BUG])
async def test_no_log_line_and_no_metric_holds_what_a_record_holds(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quotes(*_: object) -> None:
        raise ValueError(f"{PAYLOAD} {HEADER} {CASE}")

    record = RECORDS.get(name, _with_value(_value()))(world)
    if name == _BUG:
        monkeypatch.setattr(unit_of_work, "project", quotes)
    with capture_logs() as logged:
        await world.take([record])

    metrics = generate_latest(world.metrics.registry).decode()
    letters = await world.rows("SELECT reason, detail FROM dead_letter")
    assert name != _BUG or letters != []
    assert logged or letters == [], "it was rejected, or applied without what is unknown"
    assert _clean(repr(logged)), logged
    assert _clean(metrics)
    assert _clean(repr(letters)), letters


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class _Service(mode.Service):
    pass


async def _mode_crashes() -> None:
    await _Service().crash(_raised(ValueError(PAYLOAD)))


async def _faust_crashes() -> None:
    app = faust.App("marked", broker="kafka://127.0.0.1:1", web_enabled=False)
    worker = IcamWorker(app, loop=asyncio.get_running_loop())
    worker._end_in_time = lambda: None  # type: ignore[method-assign] # no deadline in a test
    await worker.crash(_raised(ValueError(PAYLOAD)))


async def _task_is_forgotten() -> None:
    async def fails() -> None:
        raise ValueError(PAYLOAD)

    task = asyncio.ensure_future(fails())
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler(
        {
            "message": "Task exception was never retrieved",
            "task": task,
            "exception": task.exception(),
        }
    )


async def _logs(*values: object, text: str = "%s %r") -> None:
    logging.getLogger("somebody.else").error(text, *values)


def _error() -> BaseException:
    return _raised(ValueError(PAYLOAD))


LIBRARIES: Final[dict[str, tuple[Callable[[], Any], str]]] = {
    "mode's Crashed reason": (_mode_crashes, "Crashed reason=ValueError at test_canaries.py:"),
    "Faust's Crashed reason": (_faust_crashes, "Crashed reason=ValueError at test_canaries.py:"),
    "a task of asyncio": (_task_is_forgotten, "Task exception was never retrieved"),
    "an error as text": (lambda: _logs(_error(), _error()), "ValueError at test_canaries.py:"),
    "an error by name": (
        lambda: _logs({"error": _error()}, text="%(error)r"),
        "ValueError at test_canaries.py:",
    ),
    "an error of the network": (
        lambda: _logs(ConnectionRefusedError("127.0.0.1:9092"), 1),
        "127.0.0.1:9092",
    ),
    "an error of aiokafka": (
        lambda: _logs(aiokafka.errors.NodeNotReadyError("node 7"), 1),
        "node 7",
    ),
}
"""What a library logs, and what must remain of it."""


@pytest.mark.parametrize("name", LIBRARIES)
async def test_no_library_logs_the_text_of_an_error(name: str) -> None:
    act, remains = LIBRARIES[name]
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        await act()
    finally:
        root.removeHandler(handler)

    assert remains in out.getvalue()
    assert _clean(out.getvalue()), out.getvalue()


CRASHES: Final = {
    "the main thread": f"raise ValueError('{PAYLOAD}')",
    "a cause": f"try:\n    raise KeyError('{PASSWORD}')\n"
    f"except KeyError as e:\n    raise ValueError('{PAYLOAD}') from e",
    "a group": f"raise ExceptionGroup('{PAYLOAD}', [ValueError('{PASSWORD}')])",
    "a thread": "import threading\ndef run():\n"
    f"    raise ValueError('{PAYLOAD}')\nt = threading.Thread(target=run)\nt.start()\nt.join()",
    "an end of an object": "class Ends:\n    def __del__(self):\n"
    f"        raise ValueError('{PAYLOAD}')\nend = Ends()\ndel end",
    "a command": "import streams.cli\nfrom click import command\n@command()\ndef fails():\n"
    f"    raise ValueError('{PAYLOAD}')\n"
    "streams.cli.main.get_command = lambda *_: fails\nstreams.cli.main(['fails'])",
}
"""Ways in which Python itself prints an error."""


@pytest.mark.parametrize("name", CRASHES)
def test_no_traceback_holds_the_text_of_an_error(name: str, tmp_path: Path) -> None:
    """The file holds the markers, and a traceback shows lines of code: so they are joined."""
    code = CRASHES[name]
    for mark in (PAYLOAD, PASSWORD):
        code = code.replace(f"'{mark}'", f"'{mark[:6]}' + '{mark[6:]}'")
    script = tmp_path / "script.py"
    hide = "from streams.runtime import logs\nlogs.hide_texts()\n"
    script.write_text(code if name == "a command" else hide + code)  # a command does it itself

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    assert "ExceptionGroup" in done.stderr if name == "a group" else "ValueError" in done.stderr
    assert "script.py" in done.stderr, "the place remains"
    assert _clean(done.stdout + done.stderr), done.stderr


async def _run(environment: dict[str, str], *command: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, command, env=environment)


URLS: Final = {
    "a port that is none": f"postgresql://icam:{PASSWORD}@db:x/icam",
    "an @ in the password": f"postgresql://icam:p@{PASSWORD}@127.0.0.1:1/icam",
    "a slash in the password": f"postgresql://icam:7/{PASSWORD}@127.0.0.1:1/icam",
    "a slash after digits": f"postgresql://icam/{PASSWORD}@127.0.0.1:1/icam",
    "a percent sign in the password": f"postgresql://icam:{PASSWORD}%zz@db/icam",
    "a space in the password": f"postgresql://icam:{PASSWORD} x@db/icam",
    "a bracket": f"postgresql://icam:{PASSWORD}@[::1/icam",
    "a query without a value": f"postgresql://icam@db/icam?password{PASSWORD}",
    "an unknown parameter": f"postgresql://icam:{PASSWORD}@db/icam?nope=1",
    "an open quote": f"postgresql://icam@db/icam?options='{PASSWORD}",
    "another scheme": f"mysql://icam:{PASSWORD}@db/icam",
    "no scheme": f"icam:{PASSWORD}@db/icam",
    "a missing slash": f"postgresql:/icam:{PASSWORD}@db/icam",
    "words": f"host=db password={PASSWORD} x",
    "an open quote in words": f"host=db password='{PASSWORD}",
    "a server that is away": f"postgresql://icam:{PASSWORD}@127.0.0.1:1/icam",
    "a host that does not exist": f"postgresql://icam:{PASSWORD}@no.invalid/icam",
}
"""Addresses that can't be used, as people write them."""


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("variable", ["ICAM_DATABASE__URL", "ICAM_DATABASE__URL_FILE"])
async def test_no_command_prints_the_password_of_an_address(
    name: str, variable: str, tmp_path: Path
) -> None:
    value = URLS[name]
    if variable.endswith("_FILE"):
        file = tmp_path / "url"
        file.write_text(value)
        value = str(file)
    environment = {variable: value, "ICAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    for command in (("escalations",), ("migrate", "--check"), ("rebuild", "--check")):
        shown = await _run(environment, *command)
        assert shown.exit_code in (2, 3), f"{command}: {shown.output} {shown.exception!r}"
        assert shown.stderr.count("\n") == 1, shown.stderr
        assert _clean(shown.output), shown.output


SECRETS: Final = {
    "a setting of the database that is no JSON": {"ICAM_DATABASE": f"url {PASSWORD}"},
    "a setting that is too much": {"ICAM_DATABASE": json.dumps({"url": 1, "x": PASSWORD})},
    "a number that is none": {"ICAM_DATABASE__POOL_SIZE": PASSWORD},
    "a name that is none": {"ICAM_DATABASE__PASWORD_FILE": PASSWORD},
    "a key of a checkpoint": {"ICAM_CHECKPOINT__KEY_FILE": KEY_FILE},
    "a protocol that is none": {"ICAM_KAFKA__SECURITY_PROTOCOL": PASSWORD},
}
"""Settings in which a secret stands where it does not belong; a key file is written first."""


@pytest.mark.parametrize("name", SECRETS)
async def test_no_command_prints_a_misplaced_secret(name: str, tmp_path: Path) -> None:
    environment = {
        "ICAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ICAM_DATABASE__URL": "postgresql://postgres@127.0.0.1:1/postgres",
    }
    for variable, text in SECRETS[name].items():
        if variable.endswith("KEY_FILE"):
            file = tmp_path / "secret"
            file.write_text(f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
            environment[variable] = str(file)
        else:
            environment[variable] = text
    for command in (("checkpoint", "sign"), ("doctor",)):
        shown = await _run(environment, *command)
        assert shown.exit_code in (1, 2, 3), f"{command}: {shown.output} {shown.exception!r}"
        assert isinstance(shown.exception, SystemExit), repr(shown.exception)
        assert _clean(shown.output), shown.output


@pytest.mark.server
async def test_doctor_prints_every_setting_and_no_secret(
    database_url: str, mock_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(f"-----BEGIN PRIVATE KEY-----\n{KEY_FILE}\n-----END PRIVATE KEY-----\n")
    environment = {
        "ICAM_DATABASE__URL": database_url.replace("postgres@", f"postgres:{PASSWORD}@"),
        "ICAM_AUDIT_DATABASE__URL": database_url.replace("postgres@", f"postgres:{PASSWORD}@"),
        "ICAM_BOARD__STEP_KEY": PASSWORD,
        "ICAM_KAFKA__BOOTSTRAP_SERVERS": mock_broker.bootstrap_servers,
        "ICAM_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "ICAM_KAFKA__SASL_USERNAME": "icam",
        "ICAM_KAFKA__SASL_PASSWORD": PASSWORD,
        "ICAM_KAFKA__CERTIFICATE_FILE": str(key),
        "ICAM_KAFKA__KEY_FILE": str(key),
        "ICAM_KAFKA__KEY_PASSWORD": PASSWORD,
        "ICAM_CHECKPOINT__KEY_FILE": str(key),
    }
    for options in ((), ("--json",)):
        shown = await _run(environment, "doctor", *options)
        assert "SASL_PASSWORD" in shown.stdout.upper()
        assert _clean(shown.output), shown.output


@pytest.mark.server
async def test_no_child_gets_a_password(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program of others gets none of our settings, and no command line has one."""
    marked = database_url.replace("postgres@", f"postgres:{PASSWORD}@")
    monkeypatch.setenv("ICAM_DATABASE__URL", marked)
    fake = tmp_path / "java"
    fake.write_text(f'#!/bin/sh\nenv > {tmp_path}/java.env\necho "version \\"17\\"" >&2\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    added = {"TZ": "UTC"}
    child = await asyncio.to_thread(process.spawn, ["env"], stdout=subprocess.PIPE, env=added)
    seen = [child.communicate()[0].decode()]
    assert "TZ=UTC" in seen[0]
    await _run({}, "doctor")
    seen.append((tmp_path / "java.env").read_text())

    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
        [sys.executable, "-m", "streams", "rebuild", "--check", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as rebuild:
        reader = threading.Thread(target=rebuild.wait)
        reader.start()
        while reader.is_alive():
            seen += _command_lines()
            reader.join(0.05)
        assert rebuild.stdout is not None
        seen.append(rebuild.stdout.read().decode())

    assert any("multiprocessing" in text for text in seen), "the children of the rebuild"
    assert all("PATH=" in text for text in seen[:2])
    assert all(_clean(text) for text in seen)


def _command_lines() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.server
async def test_no_command_shows_a_case_where_it_has_no_business(
    world: World, database_url: str
) -> None:
    """Counts, gaps, figures and settings name no case; a shared login is shown none at all."""
    await world.arrive(given.order(), given.miss(1), case_id=CASE)
    await world.take([world.record(given.miss(2), CASE, value=PAYLOAD.encode())])
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    as_owner = {"ICAM_DATABASE__URL": database_url}
    for command in ("dead-letters list --by source", "gaps list --all", "doctor", "migrate"):
        shown = await _run(as_owner, *command.split())
        assert _clean(shown.output), shown.output
    shared = {"ICAM_DATABASE__URL": database_url.replace("postgres@", "icam_operator@")}
    for command in ("escalations --all", "dead-letters list", "dead-letters show 1", "case"):
        shown = await _run(shared, *command.split(), *([CASE] if command == "case" else []))
        assert (shown.exit_code, _clean(shown.output)) == (2, True), shown.output
    shown = await _run(as_owner, "dead-letters", "list", "--json")
    assert CASE in shown.output, "here it has"
    assert _clean(shown.output, CASE), "the list shows no content"


@pytest.mark.server
async def test_a_refused_password_is_not_printed(database_url: str) -> None:
    """The server trusts everybody, so the login is one that does not exist."""
    url = database_url.replace("//postgres@", f"//stranger:{PASSWORD}@")
    for command in (("escalations",), ("migrate", "--check"), ("audit",)):
        shown = await _run({"ICAM_DATABASE__URL": url}, *command)
        assert (shown.exit_code, _clean(shown.output)) == (3, True), shown.output
    with pytest.raises(Exception, match="stranger") as refused:
        await open_pool(DatabaseSettings(url=url), "test")
    assert _clean(repr(refused.value))


def _models() -> Iterator[type[BaseModel] | type[Message]]:
    for package in (schemas, streams):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    pending: list[type[BaseModel] | type[Message]] = [BaseModel, Message]
    while pending:
        model = pending.pop()
        pending += model.__subclasses__()
        if model is not Message and model.__module__.startswith(("schemas.", "streams.")):
            yield model


def test_no_validation_error_quotes_its_input() -> None:
    models = set(_models())
    assert len(models) > 30
    for model in models:
        fields = model.model_fields if issubclass(model, BaseModel) else fields_of(model)
        for wrong in ({name: {PASSWORD: PAYLOAD} for name in fields}, PAYLOAD):
            said = _refusal(model, wrong)
            assert PAYLOAD not in said, model


def _refusal(model: type[BaseModel] | type[Message], wrong: object) -> str:
    try:
        TypeAdapter(model).validate_python(wrong)
    except ValidationError as error:
        return str(error)
    return ""

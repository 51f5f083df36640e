"""A mistyped variable is refused with the nearest name; other people's variables are left alone."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from streams.cli import main
from streams.runtime.settings import Settings
from streams.runtime.variables import UnknownVariable, expect_known, names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ICAM_DATABSE_URL", "ICAM_DATABASE__URL"),
        ("ICAM_KAFKA_GROUP", "ICAM_KAFKA__GROUP"),
        ("ICAM_KAFKA__BOOTSTRAP_SERVER", "ICAM_KAFKA__BOOTSTRAP_SERVERS"),
        ("ICAM_HTTP_PORT", "ICAM_HTTP__PORT"),
        ("icam_log_levle", "ICAM_LOG_LEVEL"),
    ],
)
def test_a_mistyped_variable_is_refused_with_the_nearest_name(name: str, nearest: str) -> None:
    with pytest.raises(UnknownVariable) as caught:
        expect_known({name: "a secret"}, Settings)
    assert f"{name} is no setting; did you mean {nearest}?" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_every_setting_is_known_in_any_case() -> None:
    every = {*names(Settings)}
    assert {"ICAM_DATABASE__URL", "ICAM_INTAKE__MAX_AHEAD_SECONDS", "ICAM_LOG_LEVEL"} < every
    expect_known(dict.fromkeys(every, "1"), Settings)
    expect_known({name.lower(): "1" for name in every}, Settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEPLOY_ICAM_TICKET", "1"),
        ("ICAM_BOARD_SERVICE_HOST", "10.0.0.1"),
        ("ICAM_BOARD_PORT", "tcp://10.0.0.1:6070"),
        ("ICAM_BOARD_PORT_6070_TCP_ADDR", "10.0.0.1"),
        ("ICAM_POSTGRES_PASSWORD", "x"),
        ("ICAM_POSTGRES_WORKER_PASSWORD", "x"),
        ("ICAM_KAFKA_IMAGE", "x"),
        ("ICAM_REQUIRE_KAFKA", "1"),
    ],
)
def test_other_variables_are_left_alone(name: str, value: str) -> None:
    expect_known({name: value}, Settings)


@pytest.mark.parametrize("command", ["case x", "doctor", "worker", "schemas list", "board"])
def test_every_command_refuses_it_with_exit_code_2(command: str) -> None:
    shown = CliRunner().invoke(main, command.split(), env={"ICAM_DATABSE_URL": "x"})
    assert shown.exit_code == 2
    assert "did you mean ICAM_DATABASE__URL?" in shown.stderr


def test_settings_refuse_it_wherever_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICAM_KAFKA_GROUP", "x")
    with pytest.raises(ValidationError, match="did you mean ICAM_KAFKA__GROUP"):
        Settings()

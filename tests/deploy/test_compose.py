"""What `docker compose up` would start, checked without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import psycopg

from streams.runtime.settings import Settings
from tests.deploy.files import (
    PROMETHEUS,
    ROLES,
    TOP,
    check_command,
    compose,
    hosts,
    image_environment,
    instructions,
    ours,
    ports,
    postgres_programs,
    read,
    services,
    serving,
    told,
    variables,
    workers,
)

_PINNED = re.compile(r"^[a-z/.-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z]+)*$")


def test_it_is_a_compose_file() -> None:
    told = subprocess.run(
        [
            Path(sys.executable).parent / "check-jsonschema",
            *("--builtin-schema", "vendor.compose-spec"),
            TOP / "docker-compose.yml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout


def test_every_image_is_pinned_by_its_version() -> None:
    pulled = {service["image"] for service in services().values() if "build" not in service}
    stages = [rest.split() for name, rest in instructions() if name == "FROM"]
    named = {stage[2] for stage in stages if len(stage) == 3}
    pulled |= {stage[0] for stage in stages} - named

    assert len(pulled) == 6
    assert [image for image in pulled if not _PINNED.match(image)] == []


def test_our_settings_take_every_variable_that_is_set() -> None:
    for service in ours().values():
        settings = told(image_environment() | service["environment"])
        assert str(settings.data_directory) == "/var/lib/icam"


def test_a_mistyped_variable_is_found() -> None:
    assert "ICAM_KAFKA__BOOTSTRAP_SERVERS" in variables()
    assert "ICAM_KAFKA__BOOTSTRAP_SERVER" not in variables()
    assert "ICAM_KAFKA" not in variables()


def test_every_command_of_our_image_is_one_of_icam() -> None:
    for service in ours().values():
        check_command(service["command"])


def test_each_starts_when_what_it_needs_is_there() -> None:
    def needed(name: str) -> set[str]:
        waits = services()[name].get("depends_on", {})
        return {*waits, *(deeper for wait in waits for deeper in needed(wait))}

    database, topics = {"postgres", "migrate", "roles"}, {"kafka", "topics"}
    assert len(workers()) == 2
    for name in [*workers(), "exporter"]:
        assert needed(name) == database | topics
    assert needed("board") == database
    assert needed("canary") == topics
    for name, service in serving().items():
        environment = service["environment"]
        assert ("ICAM_DATABASE__URL" in environment) == (needed(name) >= database)
        assert ("ICAM_KAFKA__BOOTSTRAP_SERVERS" in environment) == (needed(name) >= topics)


def test_only_grafana_is_left_out_unless_its_profile_is_named() -> None:
    profiles = {name: one["profiles"] for name, one in services().items() if "profiles" in one}

    assert profiles == {"grafana": ["grafana"]}
    for name, service in services().items():
        assert "grafana" not in service.get("depends_on", {}), name


def test_what_is_waited_for_can_come_about() -> None:
    found = services()
    for service in found.values():
        for name, wait in service.get("depends_on", {}).items():
            awaited = found[name]
            if wait["condition"] == "service_healthy":
                assert awaited["healthcheck"]["test"]
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert awaited["restart"].startswith("on-failure"), "done once is done"


def test_what_goes_on_is_judged_by_readiness_at_its_own_port() -> None:
    assert len(serving()) == 5
    for service in serving().values():
        *_, script, port = service["healthcheck"]["test"]
        (role,) = service["command"]
        assert "/readyz" in script
        assert port == str(ports()[role])
        assert service["environment"][hosts()[role]] == "0.0.0.0"  # noqa: S104


def test_a_worker_stops_in_peace() -> None:
    for service in workers().values():
        grace = int(service["stop_grace_period"].removesuffix("s"))
        assert grace > Settings().database.statement_timeout_seconds


def test_our_services_have_no_privileges_to_lose() -> None:
    for service in ours().values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        (memory,) = service["tmpfs"]
        path, _, options = memory.partition(":")
        assert path == image_environment()["ICAM_DATA_DIRECTORY"]
        assert "uid=10001,gid=10001" in options


def test_ports_are_open_to_this_machine_alone() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]

    assert {port.split(":")[-1] for port in published} == {
        *("3000", "5432", "6070", "9090", "9093", "29092")
    }
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_each_uses_the_role_made_for_it_and_only_migrations_the_owner() -> None:
    users = {
        name: re.findall(r"//(\w+):", service["environment"]["ICAM_DATABASE__URL"])[0]
        for name, service in ours().items()
        if "ICAM_DATABASE__URL" in service["environment"]
    }

    owner = services()["postgres"]["environment"]["POSTGRES_USER"]
    assert users.pop("migrate") == owner
    assert users == dict.fromkeys(workers(), "icam_worker") | {
        "exporter": "icam_auditor",
        "board": "icam_auditor",
    }


def test_the_roles_that_connect_get_their_password(server_url: str, database_url: str) -> None:
    service = services()["roles"]
    shell, *options, script = service["command"]
    (mount,) = service["volumes"]
    source, target, _ = mount.split(":")
    assert (TOP / source).samefile(ROLES)
    info = psycopg.conninfo.conninfo_to_dict(database_url)
    environment = service["environment"] | {
        "PATH": f"{postgres_programs()}:/usr/bin:/bin",
        "PGHOST": str(info["host"]),
        "PGPORT": str(info["port"]),
        "PGUSER": str(info["user"]),
        "PGDATABASE": str(info["dbname"]),
    }

    subprocess.run(
        [shell, *options, script.replace(target, str(ROLES))],
        env=environment,
        check=True,
        timeout=60,
    )

    with psycopg.connect(server_url) as conn:
        found = conn.execute(
            "SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid "
            "WHERE rolname LIKE 'icam_%' ORDER BY 1"
        ).fetchall()
    assert found == [("icam_auditor", True), ("icam_operator", None), ("icam_worker", True)]


def test_servers_are_those_that_the_tests_run_against() -> None:
    pom = ElementTree.parse(TOP / "deploy" / "kafka" / "pom.xml")  # noqa: S314 - our own file
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    kafka = pom.findtext("m:dependencies/m:dependency/m:version", namespaces=space)
    assert services()["kafka"]["image"] == f"apache/kafka:{kafka}"

    program = postgres_programs() / "postgres"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    (major,) = re.findall(r"\) (\d+)\.", told.stdout)
    for name in ("postgres", "roles"):
        assert services()[name]["image"].startswith(f"postgres:{major}.")


def test_kafka_is_asked_by_a_script_of_its_own_at_an_address_it_listens_on() -> None:
    kafka = services()["kafka"]
    script = Path(kafka["healthcheck"]["test"][1])
    listeners = dict(_listeners(kafka["environment"]["KAFKA_LISTENERS"]))
    advertised = dict(_listeners(kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]))

    assert script == Path("/opt/kafka/bin/kafka-broker-api-versions.sh")
    assert kafka["healthcheck"]["test"][-1] == advertised["INTERNAL"]
    assert {name: address.split(":")[1] for name, address in advertised.items()} == {
        name: address.split(":")[1] for name, address in listeners.items() if name != "CONTROLLER"
    }
    for service in ours().values():
        told = service["environment"].get("ICAM_KAFKA__BOOTSTRAP_SERVERS", advertised["INTERNAL"])
        assert told == advertised["INTERNAL"]
    assert kafka["ports"] == [f"127.0.0.1:29092:{listeners['EXTERNAL'].split(':')[1]}"]


def test_everything_mounted_is_there_and_every_volume_is_declared() -> None:
    for service in services().values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (TOP / source).exists()
                assert mount.endswith(":ro")
            else:
                assert source in compose()["volumes"]


def test_prometheus_asks_every_worker_and_each_other_role_where_it_answers() -> None:
    answers = {f"{name}:{ports()[service['command'][0]]}" for name, service in serving().items()}
    jobs = {
        job["job_name"]: [target for group in job["static_configs"] for target in group["targets"]]
        for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    }

    assert jobs["icam"] == [f"{name}:{ports()['worker']}" for name in workers()]
    asked = {one for name, found in jobs.items() if name.startswith("icam") for one in found}
    assert asked <= answers
    assert answers - asked <= {f"board:{ports()['board']}"}, "the page of which is the watching"


def test_python_of_the_image_is_one_we_support() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    (base,) = [rest for name, rest in instructions() if name == "FROM" and "python:" in rest]

    assert base.startswith(f"python:{project['requires-python'].removeprefix('>=')}.")


def _listeners(text: str) -> list[tuple[str, str]]:
    return [
        (name, address) for name, _, address in (one.partition("://") for one in text.split(","))
    ]

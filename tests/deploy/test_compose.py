"""The services of docker-compose.yml, checked without a container engine."""

from __future__ import annotations

import hmac
import re
import subprocess
import sys
import tomllib
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import yaml

from streams.runtime.settings import Settings
from tests.deploy.files import (
    COMPOSE,
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
    settings_from,
    variables,
    workers,
)

_PINNED = re.compile(r"^[a-z/.-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z]+)*$")


def test_it_is_a_compose_file() -> None:
    completed = subprocess.run(
        [
            Path(sys.executable).parent / "check-jsonschema",
            *("--builtin-schema", "vendor.compose-spec"),
            TOP / "docker-compose.yml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout


def test_every_image_is_pinned_by_its_version() -> None:
    pulled = {service["image"] for service in services().values() if "build" not in service}
    stages = [rest.split() for name, rest in instructions() if name == "FROM"]
    named = {stage[2] for stage in stages if len(stage) == 3}
    pulled |= {stage[0] for stage in stages} - named

    assert len(pulled) == 6
    assert [image for image in pulled if not _PINNED.match(image)] == []


def test_every_variable_of_a_service_is_a_setting() -> None:
    for service in ours().values():
        settings = settings_from(image_environment() | service["environment"])
        assert str(settings.data_directory) == "/var/lib/icam"


def test_a_mistyped_variable_is_detected() -> None:
    assert "ICAM_KAFKA__BOOTSTRAP_SERVERS" in variables()
    assert "ICAM_KAFKA__BOOTSTRAP_SERVER" not in variables()
    assert "ICAM_KAFKA" not in variables()


def test_every_command_of_our_services_is_an_icam_command() -> None:
    for service in ours().values():
        check_command(service["command"])


def test_each_service_starts_after_the_services_it_needs() -> None:
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


def test_every_awaited_condition_can_be_reached() -> None:
    found = services()
    for service in found.values():
        for name, wait in service.get("depends_on", {}).items():
            awaited = found[name]
            if wait["condition"] == "service_healthy":
                assert awaited["healthcheck"]["test"]
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert awaited["restart"].startswith("on-failure"), "done once is done"


def test_every_long_running_service_has_a_readiness_check_on_its_own_port() -> None:
    assert len(serving()) == 5
    for service in serving().values():
        *_, script, port = service["healthcheck"]["test"]
        (role,) = service["command"]
        assert "/readyz" in script
        assert port == str(ports()[role])
        assert service["environment"][hosts()[role]] == "0.0.0.0"  # noqa: S104


def test_a_worker_has_time_to_finish_its_batch_on_stop() -> None:
    for service in workers().values():
        grace = int(service["stop_grace_period"].removesuffix("s"))
        assert grace > Settings().database.statement_timeout_seconds


def test_our_services_run_without_privileges() -> None:
    for service in ours().values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        (memory,) = service["tmpfs"]
        path, _, options = memory.partition(":")
        assert path == image_environment()["ICAM_DATA_DIRECTORY"]
        assert "uid=10001,gid=10001" in options


def test_ports_are_published_only_on_localhost() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]

    assert {port.split(":")[-1] for port in published} == {
        *("3000", "5432", "6070", "9090", "9093", "29092")
    }
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_each_service_uses_its_database_role_and_only_migrate_the_owner() -> None:
    users = {
        name: re.findall(r"//(\w+):", service["environment"]["ICAM_DATABASE__URL"])[0]
        for name, service in ours().items()
        if "ICAM_DATABASE__URL" in service["environment"]
    }

    owner = services()["postgres"]["environment"]["POSTGRES_USER"]
    assert users.pop("migrate") == owner
    assert users == dict.fromkeys(workers(), "icam_worker") | {
        "exporter": "icam_exporter",
        "board": "icam_board",
    }
    audit = services()["exporter"]["environment"]["ICAM_AUDIT_DATABASE__URL"]
    assert re.findall(r"//(\w+):", audit) == ["icam_auditor"]


def test_each_role_of_the_database_has_a_password_of_its_own() -> None:
    urls = re.findall(r"//(icam_\w+):([^@]+)@", yaml.safe_dump(services()))

    assert len({user for user, _ in urls}) == len(set(urls)) == 5
    assert len({password for _, password in urls}) == 5
    assert "${ICAM_POSTGRES_WORKER_PASSWORD:-" in COMPOSE.read_text()


def test_no_service_of_ours_dumps_its_memory() -> None:
    assert {str(service["ulimits"]) for service in ours().values()} == {"{'core': 0}"}


def test_every_image_can_be_pulled_by_digest() -> None:
    text = COMPOSE.read_text()
    pulled = re.findall(r"^ *(?:image|BASE): (.*)$", text, re.MULTILINE)

    assert {one for one in pulled if not re.match(r"\$\{ICAM_[A-Z]+_IMAGE:-", one)} == {
        ours()["worker-1"]["image"]
    }
    assert next(rest for name, rest in instructions() if name == "ARG") == (
        f"BASE={ours()['worker-1']['build']['args']['BASE']}"
    )


def test_the_roles_that_connect_get_a_password(server_url: str, database_url: str) -> None:
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
        for role in ("worker", "exporter", "auditor", "board"):
            (verifier,) = conn.execute(
                "SELECT rolpassword FROM pg_authid WHERE rolname = %s", [f"icam_{role}"]
            ).fetchone() or ("",)
            assert matches(verifier, service["environment"][f"{role.upper()}_PASSWORD"])
    assert found == [
        *[("icam_auditor", True), ("icam_board", True)],
        *[("icam_checkpoint", None), ("icam_exporter", True)],
        *[("icam_office", None), ("icam_operator", None), ("icam_policy", None)],
        *[("icam_reader", None), ("icam_worker", True)],
    ]


def matches(verifier: str, password: str) -> bool:
    """Whether a SCRAM verifier of PostgreSQL is that of a password (RFC 5802)."""
    _, salted, keys = verifier.split("$")
    iterations, salt = salted.split(":")
    secret = pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(iterations))
    client_key = hmac.digest(secret, b"Client Key", "sha256")
    return b64encode(sha256(client_key).digest()).decode() == keys.split(":")[0]


def test_servers_have_the_versions_of_the_tests() -> None:
    pom = ElementTree.parse(TOP / "deploy" / "kafka" / "pom.xml")  # noqa: S314 - our own file
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    kafka = pom.findtext("m:dependencies/m:dependency/m:version", namespaces=space)
    assert services()["kafka"]["image"] == f"apache/kafka:{kafka}"

    program = postgres_programs() / "postgres"
    completed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    (major,) = re.findall(r"\) (\d+)\.", completed.stdout)
    for name in ("postgres", "roles"):
        assert services()[name]["image"].startswith(f"postgres:{major}.")


def test_the_health_check_of_kafka_uses_an_address_it_listens_on() -> None:
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
        servers = service["environment"].get(
            "ICAM_KAFKA__BOOTSTRAP_SERVERS", advertised["INTERNAL"]
        )
        assert servers == advertised["INTERNAL"]
    assert kafka["ports"] == [f"127.0.0.1:29092:{listeners['EXTERNAL'].split(':')[1]}"]


def test_every_mounted_file_exists_and_every_volume_is_declared() -> None:
    for service in services().values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (TOP / source).exists()
                assert mount.endswith(":ro")
            else:
                assert source in compose()["volumes"]


def test_prometheus_scrapes_every_role_on_its_port() -> None:
    answers = {f"{name}:{ports()[service['command'][0]]}" for name, service in serving().items()}
    jobs = {
        job["job_name"]: [target for group in job["static_configs"] for target in group["targets"]]
        for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]
    }

    assert jobs["icam"] == [f"{name}:{ports()['worker']}" for name in workers()]
    asked = {one for name, found in jobs.items() if name.startswith("icam") for one in found}
    assert asked <= answers
    assert answers - asked <= {f"board:{ports()['board']}"}, "the board has a page of its own"


def test_a_role_answers_to_the_names_by_which_prometheus_asks() -> None:
    for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            name = target.split(":")[0]
            if name in serving():
                settings = settings_from(image_environment() | serving()[name]["environment"])
                assert name in settings.host_names


def test_the_image_has_the_supported_python_version() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    (base,) = [rest for name, rest in instructions() if name == "FROM" and "python:" in rest]

    assert base.startswith(f"python:{project['requires-python'].removeprefix('>=')}.")


def _listeners(text: str) -> list[tuple[str, str]]:
    return [
        (name, address) for name, _, address in (one.partition("://") for one in text.split(","))
    ]

"""Properties of every pod: user, privileges, resources, probes and termination."""

from __future__ import annotations

import re
import subprocess

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from streams.runtime.http import Verdict, application
from streams.runtime.settings import Settings
from tests.deploy.files import (
    ROLES,
    check_command,
    hosts,
    image_environment,
    instruction,
    ports,
    postgres_programs,
    services,
    serving,
    settings_from,
)
from tests.deploy.manifests import Manifest, pods, resolved

pytestmark = pytest.mark.kustomize

_UNITS = {"": 1.0, "m": 0.001, "Mi": 2.0**20, "Gi": 2.0**30}


def quantity(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)(\w*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


def test_every_role_is_a_deployment_and_every_preparation_a_job(base: list[Manifest]) -> None:
    assert pods(base).keys() == ports().keys() | {"database", "topics"}
    for name, pod in pods(base).items():
        assert pod.owner["kind"] == ("Deployment" if name in ports() else "Job")
        assert pod.ours["args"] == ["migrate" if name == "database" else name]
        check_command(pod.ours["args"])


def test_pods_run_without_privileges(base: list[Manifest]) -> None:
    user, group = map(int, instruction("USER").split(":"))
    for pod in pods(base).values():
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
        assert pod.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in pod.containers:
            assert container["securityContext"] == {
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_only_memory_volumes_are_writable(example: list[Manifest]) -> None:
    for pod in pods(example).values():
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        memory = {name for name, volume in volumes.items() if "emptyDir" in volume}
        assert all(volumes[name]["emptyDir"]["medium"] == "Memory" for name in memory)
        assert all(
            volumes[name].keys() & {"configMap", "secret"} for name in volumes.keys() - memory
        )
        for container in pod.containers:
            for mount in container.get("volumeMounts", ()):
                assert mount["name"] in volumes
                assert mount.get("readOnly", False) == (mount["name"] not in memory)
        if pod.component != "database":
            paths = {mount["name"]: mount["mountPath"] for mount in pod.ours["volumeMounts"]}
            assert paths["data"] == image_environment()["ICAM_DATA_DIRECTORY"]


def test_every_container_has_resource_requests_and_limits(base: list[Manifest]) -> None:
    for pod in pods(base).values():
        for container in pod.containers:
            asked, most = container["resources"]["requests"], container["resources"]["limits"]
            assert asked.keys() == most.keys() == {"cpu", "memory"}
            assert all(quantity(asked[name]) <= quantity(most[name]) for name in asked)


def test_a_worker_has_the_memory_that_was_measured(base: list[Manifest]) -> None:
    resources = pods(base)["worker"].ours["resources"]

    assert quantity(resources["requests"]["memory"]) >= 200e6, "the promised bound of a backlog"
    assert quantity(resources["limits"]["memory"]) > quantity("400Mi"), "the bound of a flood"


def test_probes_use_served_paths_on_the_listening_port(example: list[Manifest]) -> None:
    served = application(lambda: Verdict(True, {}), lambda: Verdict(True, {}), CollectorRegistry())
    routes = {resource.canonical for resource in served.router.resources()}

    for name in ports():
        pod = pods(example)[name]
        (port,) = pod.ours["ports"]
        assert port == {"name": "internal", "containerPort": ports()[name]}
        assert pod.variables(example)[hosts()[name]] == "0.0.0.0"  # noqa: S104
        asked = {kind: pod.ours[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
        assert {kind: probe["httpGet"]["path"] for kind, probe in asked.items()} == {
            "startup": "/livez",
            "liveness": "/livez",
            "readiness": "/readyz",
        }
        for probe in asked.values():
            assert probe["httpGet"]["path"] in routes
            assert probe["httpGet"]["port"] == port["name"]


def test_liveness_probes_match_the_health_check_of_the_image(
    base: list[Manifest],
) -> None:
    options = dict(re.findall(r"--([a-z-]+)=(\d+)", instruction("HEALTHCHECK")))
    for name in ports():
        container = pods(base)[name].ours
        live, start = container["livenessProbe"], container["startupProbe"]
        assert live["periodSeconds"] == int(options["interval"])
        assert live["timeoutSeconds"] == int(options["timeout"])
        assert live["failureThreshold"] == int(options["retries"])
        assert start["periodSeconds"] * start["failureThreshold"] == int(options["start-period"])


def test_every_variable_of_a_pod_is_a_setting_and_every_reference_exists(
    example: list[Manifest],
) -> None:
    for pod in pods(example).values():
        settings = settings_from(image_environment() | pod.variables(example))
        assert settings.kafka.partitions == Settings().kafka.partitions


def test_each_pod_uses_its_database_role_and_only_migrations_the_owner(
    example: list[Manifest],
) -> None:
    urls = {
        name: pod.variables(example).get("ICAM_DATABASE__URL", "")
        for name, pod in pods(example).items()
    }

    assert {name: re.findall(r"//(\w+)[:@]", url) for name, url in urls.items()} == {
        "worker": ["icam_worker"],
        "exporter": ["icam_exporter"],
        "board": ["icam_board"],
        "database": ["icam_owner"],
        "canary": [],
        "topics": [],
    }
    audit = pods(example)["exporter"].variables(example)["ICAM_AUDIT_DATABASE__URL"]
    assert re.findall(r"//(\w+):", audit) == ["icam_auditor"]


def test_no_argument_of_a_process_holds_a_password(example: list[Manifest]) -> None:
    """Every account of a machine can list the arguments of its processes."""
    found = 0
    for name, pod in pods(example).items():
        for container in pod.containers:
            words = " ".join([*container.get("command", ()), *container.get("args", ())])
            for one in container.get("env", ()):
                value = resolved(one, example)
                found += "example-only" in value
                words = words.replace(f"${one['name']}", value)
            assert "example-only" not in words, name
    assert found > 0, "the example has passwords to find"


def test_the_job_grants_the_roles_with_the_password_apart_from_the_url(
    example: list[Manifest], database_url: str
) -> None:
    job = pods(example)["database"]
    (psql,) = [one for one in job.containers if one["name"] == "roles"]
    (folder,) = [mount["mountPath"] for mount in psql["volumeMounts"]]
    given = {one["name"]: resolved(one, example) for one in psql["env"]}
    assert given.keys() == {"ICAM_DATABASE__URL", "PGPASSWORD"}
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER ROLE postgres PASSWORD 'only-of-this-test'")
        try:
            done = subprocess.run(
                [*psql["command"], *(a.replace(folder, str(ROLES.parent)) for a in psql["args"])],
                env={
                    "PATH": f"{postgres_programs()}:/usr/bin:/bin",
                    "ICAM_DATABASE__URL": database_url,
                    "PGPASSWORD": "only-of-this-test",
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            granted = "SELECT has_any_column_privilege('icam_worker', 'case_event', 'INSERT')"
            assert owner.execute(granted.encode()).fetchone() == (True,)
        finally:
            owner.execute("ALTER ROLE postgres PASSWORD NULL")


def test_all_pods_use_one_image_pinned_to_a_version(example: list[Manifest]) -> None:
    images = {pod.ours["image"] for pod in pods(example).values()}
    others = {one["image"] for pod in pods(example).values() for one in pod.containers} - images

    (image,) = images
    assert re.search(r":\d+\.\d+\.\d+$", image)
    assert others == {services()["postgres"]["image"]}


def test_pods_have_the_same_grace_period_as_in_compose(base: list[Manifest]) -> None:
    for service in serving().values():
        grace = service.get("stop_grace_period", "10s")
        spec = pods(base)[service["command"][0]].spec
        assert f"{spec['terminationGracePeriodSeconds']}s" == grace

"""Properties of the manifests as a whole: replicas, preparation jobs, selectors and scraping."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.deploy.files import PROMETHEUS, ROLES, ports, postgres_programs, read, settings_from
from tests.deploy.manifests import (
    BASE,
    KEDA,
    POD_MONITOR,
    Manifest,
    documents,
    of_kind,
    pods,
    render,
    selected,
    with_components,
)

pytestmark = pytest.mark.kustomize


def worker_of(manifests: list[Manifest]) -> Manifest:
    return of_kind(manifests, "Deployment")["icam-worker"]


def test_there_are_never_more_workers_than_partitions(
    base: list[Manifest], example: list[Manifest]
) -> None:
    (scaled,) = documents((KEDA / "scaled-object.yaml").read_text())
    for manifests in (base, example):
        worker = worker_of(manifests)
        variables = pods(manifests)["worker"].variables(manifests, without_secrets=True)
        # The base leaves open how Kafka is reached, so it alone would be refused.
        settings = settings_from(variables | {"ICAM_ALLOW_PLAINTEXT": "1"})
        assert 2 <= worker["spec"]["replicas"] <= settings.kafka.partitions
        assert worker["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
        assert scaled["spec"]["maxReplicaCount"] == settings.kafka.partitions
        assert scaled["spec"]["triggers"][0]["metadata"]["consumerGroup"] == settings.kafka.group


def test_keda_scales_the_workers_from_their_usual_number(tmp_path: Path) -> None:
    rendered = with_components(tmp_path, KEDA)
    (scaled,) = of_kind(rendered, "ScaledObject").values()
    (trigger,) = scaled["spec"]["triggers"]
    target = of_kind(rendered, "Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]

    assert target == worker_of(rendered)
    assert "replicas" not in target["spec"], "applying the manifests again would reset the replicas"
    assert scaled["spec"]["minReplicaCount"] == worker_of(render(BASE))["spec"]["replicas"]
    variables = pods(rendered)["worker"].variables(rendered, without_secrets=True)
    assert trigger["metadata"]["bootstrapServersFromEnv"] in variables


def test_a_worker_keeps_running_while_nodes_are_drained(base: list[Manifest]) -> None:
    (budget,) = of_kind(base, "PodDisruptionBudget").values()

    assert selected(budget["spec"]["selector"], base) == {"worker"}
    assert 1 <= budget["spec"]["minAvailable"] < worker_of(base)["spec"]["replicas"]
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_migrations_run_before_the_roles_script(base: list[Manifest], database_url: str) -> None:
    pod = pods(base)["database"]
    (migrate,), (roles,) = pod.spec["initContainers"], pod.spec["containers"]
    assert migrate["args"] == ["migrate"]
    (mount,), (volume,) = (
        roles["volumeMounts"],
        (v for v in pod.spec["volumes"] if "configMap" in v),
    )
    assert volume["name"] == mount["name"]
    data = of_kind(base, "ConfigMap")[volume["configMap"]["name"]]["data"]
    assert data == {ROLES.name: ROLES.read_text()}
    (script,) = roles["args"]

    for _ in range(2):
        subprocess.run(
            [*roles["command"], script.replace(f"{mount['mountPath']}/{ROLES.name}", str(ROLES))],
            env={
                "PATH": f"{postgres_programs()}:/usr/bin:/bin",
                roles["env"][0]["name"]: database_url,
            },
            check=True,
            timeout=60,
        )

    with psycopg.connect(database_url) as conn:
        (granted,) = conn.execute(
            "SELECT has_any_column_privilege('icam_worker', 'case_event', 'INSERT')"
        ).fetchall()
    assert granted == (True,)


def test_selectors_match_their_own_pods(base: list[Manifest]) -> None:
    for deployment in of_kind(base, "Deployment").values():
        own = deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        assert selected(deployment["spec"]["selector"], base) == {own}
    (spread,) = pods(base)["worker"].spec["topologySpreadConstraints"]
    assert selected(spread["labelSelector"], base) == {"worker"}
    (service,) = of_kind(base, "Service").values()
    assert selected({"matchLabels": service["spec"]["selector"]}, base) == {"board"}
    (port,) = service["spec"]["ports"]
    assert port["port"] == ports()["board"]
    (name,) = of_kind(base, "Service")
    assert name in pods(base)["board"].variables(base, without_secrets=True)["ICAM_ALLOWED_HOSTS"]
    assert port["targetPort"] == pods(base)["board"].ours["ports"][0]["name"]


def test_the_runbooks_are_mounted_where_the_board_reads_them(base: list[Manifest]) -> None:
    pod = pods(base)["board"]
    (variable,) = [one for one in pod.ours["env"] if one["name"] == "ICAM_BOARD__RUNBOOKS"]
    (mount,) = [one for one in pod.ours["volumeMounts"] if one["name"] == "runbooks"]
    (volume,) = [one for one in pod.spec["volumes"] if one["name"] == "runbooks"]

    assert variable["value"] == mount["mountPath"]
    assert volume["configMap"]["name"] in of_kind(base, "ConfigMap")


def _job(component: str, relabelings: list[dict[str, Any]]) -> str:
    """Return the job name that Prometheus gives the pods of a component."""
    job = ""
    for rule in relabelings:
        found = re.fullmatch(rule.get("regex", "(.*)"), component)
        if found:
            job = rule["replacement"].replace("$1", component)
    return job


def test_the_prometheus_operator_uses_the_job_names_of_our_rules(base: list[Manifest]) -> None:
    (monitor,) = documents((POD_MONITOR / "pod-monitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    jobs = {
        _job(component, endpoint["relabelings"])
        for component in selected(monitor["spec"]["selector"], base)
    }

    assert jobs == {"icam", "icam-exporter", "icam-canary", "icam-board"}
    configured = {job["job_name"] for job in read(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    assert {name for name in configured if name.startswith("icam")} <= jobs
    assert endpoint["port"] == "internal"

"""Who may reach whom in the cluster, by the rendered network policies."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deploy.files import ours, ports
from tests.deploy.manifests import Manifest, of_kind, pods, selected

pytestmark = pytest.mark.kustomize


def policies(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    return {name: one["spec"] for name, one in of_kind(manifests, "NetworkPolicy").items()}


def test_whatever_is_not_allowed_is_denied_to_every_pod(base: list[Manifest]) -> None:
    closed = policies(base).pop("icam-nothing")

    assert set(closed["policyTypes"]) == {"Ingress", "Egress"}
    assert closed.keys().isdisjoint({"ingress", "egress"})
    assert selected(closed["podSelector"], base) == pods(base).keys()


def test_every_policy_opens_one_direction_for_pods_that_exist(base: list[Manifest]) -> None:
    for name, policy in policies(base).items():
        assert selected(policy["podSelector"], base), name
        if name != "icam-nothing":
            (kind,) = policy["policyTypes"]
            assert policy[kind.lower()], name
            assert policy.keys() == {"podSelector", "policyTypes", kind.lower()}


def test_kafka_and_postgres_are_reached_by_those_that_compose_tells_where_they_are(
    base: list[Manifest],
) -> None:
    """Compose tells each service exactly what it needs; here all pods share their settings."""

    def told_of(variable: str) -> set[str]:
        commands = {
            service["command"][0]
            for service in ours().values()
            if variable in service["environment"]
        }
        return {"database" if command == "migrate" else command for command in commands}

    kafka = policies(base)["icam-to-kafka"]["podSelector"]
    postgres = policies(base)["icam-to-postgres"]["podSelector"]
    assert selected(kafka, base) == told_of("ICAM_KAFKA__BOOTSTRAP_SERVERS")
    assert selected(postgres, base) == told_of("ICAM_DATABASE__URL")


def test_the_ports_let_out_are_those_of_the_addresses(example: list[Manifest]) -> None:
    def let_out(name: str) -> set[int]:
        (rule,) = policies(example)[name]["egress"]
        assert all("ipBlock" in peer for peer in rule["to"]), "the overlay says where"
        return {port["port"] for port in rule["ports"]}

    for pod in pods(example).values():
        environment = pod.variables(example)
        if "ICAM_DATABASE__URL" in environment:
            assert let_out("icam-to-postgres") == {urlsplit(environment["ICAM_DATABASE__URL"]).port}
    servers = pods(example)["topics"].variables(example)["ICAM_KAFKA__BOOTSTRAP_SERVERS"]
    assert let_out("icam-to-kafka") == {int(server.split(":")[1]) for server in servers.split(",")}


def test_names_can_be_looked_up_by_all_and_only_in_the_cluster(base: list[Manifest]) -> None:
    policy = policies(base)["icam-to-names"]
    (rule,) = policy["egress"]

    assert selected(policy["podSelector"], base) == pods(base).keys()
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
    }
    assert all("namespaceSelector" in peer and "podSelector" in peer for peer in rule["to"])


def test_only_prometheus_and_the_boards_readers_get_in(base: list[Manifest]) -> None:
    entrances = {name: policy for name, policy in policies(base).items() if "ingress" in policy}

    assert entrances.keys() == {"icam-from-prometheus", "icam-from-browsers"}
    assert selected(entrances["icam-from-prometheus"]["podSelector"], base) == ports().keys()
    assert selected(entrances["icam-from-browsers"]["podSelector"], base) == {"board"}
    labels = []
    for policy in entrances.values():
        (rule,) = policy["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": "internal"}]
        (peer,) = rule["from"]
        (label,) = peer["namespaceSelector"]["matchLabels"]
        labels.append(label)
    assert len(set(labels)) == 2, "to scrape is not to browse"

"""Allowed connections in the cluster, by the rendered network policies."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deploy.files import ours, ports
from tests.deploy.manifests import Manifest, of_kind, pods, selected

pytestmark = pytest.mark.kustomize


def policies(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    return {name: one["spec"] for name, one in of_kind(manifests, "NetworkPolicy").items()}


def test_every_pod_is_denied_all_traffic_by_default(base: list[Manifest]) -> None:
    closed = policies(base).pop("icam-nothing")

    assert set(closed["policyTypes"]) == {"Ingress", "Egress"}
    assert closed.keys().isdisjoint({"ingress", "egress"})
    assert selected(closed["podSelector"], base) == pods(base).keys()


def test_every_policy_allows_one_direction_for_existing_pods(base: list[Manifest]) -> None:
    for name, policy in policies(base).items():
        assert selected(policy["podSelector"], base), name
        if name != "icam-nothing":
            (kind,) = policy["policyTypes"]
            assert policy[kind.lower()], name
            assert policy.keys() == {"podSelector", "policyTypes", kind.lower()}


def test_only_roles_that_need_kafka_or_postgres_may_reach_them(
    base: list[Manifest],
) -> None:
    """Compose sets addresses only for services that need them; here all pods share settings."""

    def configured_with(variable: str) -> set[str]:
        commands = {
            service["command"][0]
            for service in ours().values()
            if variable in service["environment"]
        }
        return {"database" if command == "migrate" else command for command in commands}

    kafka = policies(base)["icam-to-kafka"]["podSelector"]
    postgres = policies(base)["icam-to-postgres"]["podSelector"]
    assert selected(kafka, base) == configured_with("ICAM_KAFKA__BOOTSTRAP_SERVERS")
    assert selected(postgres, base) == configured_with("ICAM_DATABASE__URL")


def test_allowed_egress_ports_match_the_configured_addresses(example: list[Manifest]) -> None:
    def allowed_ports(name: str) -> set[int]:
        (rule,) = policies(example)[name]["egress"]
        assert all("ipBlock" in peer for peer in rule["to"]), "the overlay sets the addresses"
        return {port["port"] for port in rule["ports"]}

    for pod in pods(example).values():
        environment = pod.variables(example)
        if "ICAM_DATABASE__URL" in environment:
            assert allowed_ports("icam-to-postgres") == {
                urlsplit(environment["ICAM_DATABASE__URL"]).port
            }
    servers = pods(example)["topics"].variables(example)["ICAM_KAFKA__BOOTSTRAP_SERVERS"]
    assert allowed_ports("icam-to-kafka") == {
        int(server.split(":")[1]) for server in servers.split(",")
    }


def test_only_the_board_may_ask_prometheus_in_the_namespace_that_scrapes(
    base: list[Manifest], example: list[Manifest]
) -> None:
    policy = policies(base)["icam-to-prometheus"]
    (rule,) = policy["egress"]
    (scraping,) = policies(base)["icam-from-prometheus"]["ingress"]
    url = pods(example)["board"].variables(example)["ICAM_BOARD__PROMETHEUS_URL"]

    assert selected(policy["podSelector"], base) == {"board"}
    assert rule["to"] == scraping["from"]
    assert [port["port"] for port in rule["ports"]] == [urlsplit(url).port]


def test_all_pods_may_use_dns_inside_the_cluster_only(base: list[Manifest]) -> None:
    policy = policies(base)["icam-to-names"]
    (rule,) = policy["egress"]

    assert selected(policy["podSelector"], base) == pods(base).keys()
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
    }
    assert all("namespaceSelector" in peer and "podSelector" in peer for peer in rule["to"])


def test_only_prometheus_and_readers_of_the_board_may_connect(base: list[Manifest]) -> None:
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
    assert len(set(labels)) == 2, "scraping and browsing have separate labels"

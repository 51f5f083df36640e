"""Run the Kubernetes manifests on a real cluster: validate, apply, delete, drain, roll, audit."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
import yaml
from psycopg import sql

from tests.deploy.files import services
from tests.deploy.manifests import EXAMPLE

from . import images
from .cluster import GATEWAY, NODES, PORTS, Cluster, cluster
from .commands import Failed, expect, wait
from .engine import Engine, engine
from .events import Audit, Batch, Events, in_flight, settle, stored
from .machine import HOME, prepare
from .report import Report

RECIPES: Final = Path(__file__).parent / "kubernetes"
_OVERLAY: Final = HOME / "overlay"
_VERSIONS: Final = ("icam-streams:first", "icam-streams:second")
_ROLES: Final = ("worker", "exporter", "canary", "board")
_IN: Final = "--namespace=icam"
_BROKERS: Final = f"{GATEWAY}:9092"
_PATIENCE: Final = "--timeout=10m"


def run(report: Report) -> None:
    """Do every step; the first that fails ends the scenario.

    Raises:
        Failed: a step failed.
        Unfit: the machine lacks something.
    """
    with report.step("check the machine"):
        prepare(PORTS)
    with ExitStack() as open_:
        with report.step("start the container engine, build the images"):
            daemon = open_.enter_context(engine())
            images.stand_ins(daemon)
            images.ours(daemon)
            for version in _VERSIONS:
                daemon.docker("tag", images.OURS, version)
        with report.step("start a control plane and two nodes") as step:
            postgres = services()["postgres"]["image"]
            nodes = open_.enter_context(cluster(daemon, [*_VERSIONS, postgres, images.PAUSE]))
            (version,) = {one["status"]["nodeInfo"]["kubeletVersion"] for one in nodes.get("nodes")}
            step.result = f"Kubernetes {version}, containerd"
        pods = Pods(nodes, daemon, Events(HOME / "events"))
        with report.step("start Kafka and PostgreSQL on the pods' network"):
            open_.enter_context(_servers(daemon))
        _validated(report, nodes)
        _applied(report, pods)
        _streamed(report, pods)
        _deleted(report, pods)
        _each_killed(report, pods)
        _drained(report, pods)
        _rolled(report, pods)
        with report.step("delete the namespace: nothing is left"):
            nodes.kubectl("delete", "namespace", "icam", _PATIENCE)
            left = nodes.get("pods", "--all-namespaces")
            expect(not left, f"{len(left)} pods left")


class Pods:
    """The project's pods, and the `icam` commands that publish to them and audit them."""

    def __init__(self, nodes: Cluster, daemon: Engine, events: Events) -> None:
        self.cluster = nodes
        self.events = events
        self._engine = daemon

    def of(self, role: str) -> list[dict[str, Any]]:
        """Return the pods of a role that are not being deleted."""
        found = self.cluster.get("pods", _IN, f"--selector=app.kubernetes.io/component={role}")
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def ready(self, role: str) -> int:
        """Return how many pods of a role are ready."""
        return sum(_ready_at(one) is not None for one in self.of(role))

    def apply(self, image: str) -> None:
        """Apply the overlay with this image, as docs/deploy.md says for a new version."""
        render(image)
        self.cluster.kubectl("apply", "--server-side", "--kustomize", _OVERLAY)

    def await_rollout(self) -> None:
        """Wait until every deployment has all its pods ready, and no others."""
        for role in _ROLES:
            self.cluster.kubectl("rollout", "status", f"deployment/icam-{role}", _IN, _PATIENCE)

    def scale(self, workers: int) -> None:
        """Change the number of workers and wait until that many are ready."""
        self.cluster.kubectl("scale", "deployment/icam-worker", f"--replicas={workers}", _IN)
        wait("no worker" if not workers else "workers ready", lambda: self._settled(workers))

    def _settled(self, workers: int) -> bool:
        found = self.cluster.get("pods", _IN, "--selector=app.kubernetes.io/component=worker")
        return len(found) == workers == self.ready("worker")

    def process(self, pod: dict[str, Any]) -> int:
        """Return the process id of a pod's container on this machine."""
        (status,) = pod["status"]["containerStatuses"]
        name = status["containerID"].removeprefix("containerd://")
        return self.cluster.process(pod["spec"]["nodeName"], name)

    def publish(self, batch: Batch) -> None:
        """Publish a batch by `icam publish`; every record must be acknowledged."""
        said = self._icam("publish", "--json", stdin=batch.file)
        self.events.acknowledged(batch, orjson.loads(said)["acknowledged"])

    def audit(self, drained: bool) -> Audit:
        """Run `icam audit` with every id that was published."""
        produced = self.events.produced()
        options = ["--json", "--produced", "/mnt/produced", *["--drained"] * drained]
        return Audit.read(self._icam("audit", *options, mount=produced, codes=(0, 1)))

    def settle(self) -> Audit:
        """Audit until everything published is processed; raise ``Failed`` when it is not clean."""
        return settle(self.audit, self.events.published)

    def stored(self) -> int:
        """Return the number of events in the log."""
        return stored(_database("icam_auditor"))

    def _icam(
        self,
        *words: str,
        stdin: Path | None = None,
        mount: Path | None = None,
        codes: Sequence[int] = (0,),
    ) -> str:
        """Run an icam command of our image on the host, which is on the pods' network."""
        return self._engine.docker(
            *("run", "--rm", "--interactive", "--network=host", "--read-only"),
            f"--env=ICAM_KAFKA__BOOTSTRAP_SERVERS={_BROKERS}",
            "--env=ICAM_ALLOW_PLAINTEXT=1",
            f"--env=ICAM_DATABASE__URL={_database('icam_auditor')}",
            *([f"--volume={mount}:/mnt/{mount.name}:ro"] if mount else []),
            *("--tmpfs=/var/lib/icam:uid=10001,gid=10001", images.OURS, *words),
            stdin=stdin,
            codes=codes,
        )


def render(image: str) -> None:
    """Write the overlay that lays an image's tag over the one in the repository."""
    _OVERLAY.mkdir(parents=True, exist_ok=True)
    name, _, tag = image.partition(":")
    overlay = {
        "resources": [os.path.relpath(RECIPES / "overlay", _OVERLAY)],
        "images": [{"name": name, "newTag": tag}],
    }
    (_OVERLAY / "kustomization.yaml").write_text(yaml.safe_dump(overlay))


@contextmanager
def _servers(daemon: Engine) -> Iterator[None]:
    """Run the stand-ins of Kafka and PostgreSQL at the host's address on the pods' network."""
    found = services()
    kafka = {
        **found["kafka"]["environment"],
        "KAFKA_LISTENERS": f"INTERNAL://{_BROKERS},CONTROLLER://{GATEWAY}:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"INTERNAL://{_BROKERS}",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@{GATEWAY}:9093",
    }
    postgres = {**found["postgres"]["environment"], "POSTGRES_PASSWORD": "local-only"}
    commands = (
        (kafka, found["kafka"]["image"], ()),
        (postgres, found["postgres"]["image"], ("postgres", "-c", f"listen_addresses={GATEWAY}")),
    )
    with ExitStack() as stack:
        for variables, image, command in commands:
            options = [f"--env={name}={value}" for name, value in variables.items()]
            name = daemon.docker("run", "--detach", "--network=host", *options, image, *command)
            stack.callback(daemon.docker, "rm", "--force", "--volumes", name)

        def answers() -> bool:
            with psycopg.connect(_database("icam_owner"), connect_timeout=2):
                return True

        wait("PostgreSQL", lambda: _without_error(answers))
        yield


def _validated(report: Report, nodes: Cluster) -> None:
    with report.step("server-side validation, pod security, quota") as step:
        render(_VERSIONS[0])
        nodes.kubectl("apply", "--server-side", "--filename", EXAMPLE / "namespace.yaml")
        said = nodes.kubectl(
            *("apply", "--server-side", "--dry-run=server", "--validate=strict"),
            *("--kustomize", _OVERLAY),
        )
        objects = said.splitlines()
        expect(bool(objects), "nothing rendered")
        # The default account is made a moment after the namespace.
        wait("account", lambda: nodes.get("serviceaccounts", _IN))
        try:
            nodes.kubectl("apply", "--server-side", "--filename", RECIPES / "refused.yaml")
        except Failed as error:
            expect('violates PodSecurity "restricted' in str(error), str(error))
        else:
            raise Failed("the namespace took a pod that runs as root")
        step.result = f"{len(objects)} objects valid; a pod that runs as root refused"


def _applied(report: Report, pods: Pods) -> None:
    nodes = pods.cluster
    with report.step("apply, wait for the jobs, set passwords, wait for every pod") as step:
        pods.apply(_VERSIONS[0])
        jobs = ("job/icam-database", "job/icam-topics")
        nodes.kubectl("wait", "--for=condition=complete", *jobs, _IN, _PATIENCE)
        _set_passwords()
        pods.await_rollout()
        (quota,) = nodes.get("resourcequotas", _IN)
        used = quota["status"]["used"]
        expect(used["pods"] != "0", "the quota counts no pod")
        spread = {one["spec"]["nodeName"] for one in pods.of("worker")}
        expect(spread == set(NODES), f"all workers on {spread}")
        step.result = (
            f"workers on {len(spread)} nodes; quota used: {used['pods']} pods, "
            f"{used['requests.cpu']} CPU, {used['limits.memory']} memory limits"
        )


def _streamed(report: Report, pods: Pods) -> None:
    with report.step("publish a simulated stream, audit") as step:
        batch = pods.events.draw(scale=1, malformed=0.01)
        pods.publish(batch)
        audit = pods.settle()
        step.result = f"{batch.records} records published, {audit.events} events, audit clean"


def _deleted(report: Report, pods: Pods) -> None:
    with report.step("delete a worker's pod with a batch in flight, audit") as step:
        workers = len(pods.of("worker"))
        batch = pods.events.draw(scale=2)
        pods.scale(0)
        pods.publish(batch)
        before = pods.stored()
        pods.cluster.kubectl("scale", "deployment/icam-worker", "--replicas=1", _IN)
        wait("first events stored", lambda: pods.stored() > before, every=0.05)
        (pod,) = pods.of("worker")
        process = pods.process(pod)
        pods.cluster.kubectl("delete", "pod", pod["metadata"]["name"], _IN, "--wait=false")
        wait("process ended", lambda: not Path(f"/proc/{process}").exists(), every=0.05)
        # Its successor starts for some seconds before it processes anything.
        now = pods.stored()
        step.result = in_flight("deleted", before, now, before + len(batch.ids))
        pods.scale(workers)
        step.result += f"; then {pods.settle().events} events, audit clean"


def _each_killed(report: Report, pods: Pods) -> None:
    for role in _ROLES:
        with report.step(f"SIGKILL one {role} after publishing") as step:
            batch = pods.events.draw(scale=0.3)
            pods.publish(batch)
            pod = pods.of(role)[0]
            name, before = pod["metadata"]["name"], _restarts(pod)
            os.kill(pods.process(pod), signal.SIGKILL)
            begun = time.monotonic()

            def back(role: str = role, name: str = name, before: int = before) -> bool:
                now = [one for one in pods.of(role) if one["metadata"]["name"] == name]
                return bool(now) and _restarts(now[0]) > before and _ready_at(now[0]) is not None

            wait(f"{role} ready again", back)
            seconds = time.monotonic() - begun
            report.service(role).recovery_seconds = seconds
            step.result = f"{batch.records} records published, ready again after {seconds:.1f} s"
    with report.step("audit after killing one of each") as step:
        step.result = f"{pods.settle().events} events, audit clean"


def _drained(report: Report, pods: Pods) -> None:
    nodes = pods.cluster
    node = pods.of("worker")[0]["spec"]["nodeName"]
    with report.step("drain a node, audit") as step:
        pods.publish(pods.events.draw(scale=1))
        with _fewest_ready(pods) as fewest:
            nodes.kubectl("drain", node, "--delete-emptydir-data", _PATIENCE)
            pods.await_rollout()
        left = [
            one["metadata"]["name"]
            for role in _ROLES
            for one in pods.of(role)
            if one["spec"]["nodeName"] == node
        ]
        expect(not left, f"{left} still on the drained {node}")
        expect(bool(fewest) and min(fewest) >= 1, "the disruption budget was not kept")
        events = pods.settle().events
        nodes.kubectl("uncordon", node)
        step.result = (
            f"{node} empty, never fewer than {min(fewest)} workers ready; "
            f"{events} events, audit clean"
        )


def _rolled(report: Report, pods: Pods) -> None:
    with report.step("roll a new version, audit") as step:
        pods.publish(pods.events.draw(scale=1))
        pods.cluster.kubectl(
            "delete", "job", "icam-database", "icam-topics", _IN, "--ignore-not-found"
        )
        with _fewest_ready(pods) as fewest:
            pods.apply(_VERSIONS[1])
            pods.await_rollout()
        found = [one for role in _ROLES for one in pods.of(role)]
        old = [one for one in found if one["spec"]["containers"][0]["image"] != _VERSIONS[1]]
        expect(len(found) >= len(_ROLES) and not old, f"{len(old)} pods of the old version")
        expect(bool(fewest) and min(fewest) >= 1, "no worker was ready during the rollout")
        for role in _ROLES:
            service = report.service(role)
            service.start_seconds = max(map(_start_seconds, pods.of(role)))
            processes = [pods.process(one) for one in pods.of(role)]
            service.memory_mib = max(map(_resident_mib, processes))
        step.result = (
            f"{len(found)} pods of the new version, never fewer than {min(fewest)} workers ready; "
            f"{pods.settle().events} events, audit clean"
        )


@contextmanager
def _fewest_ready(pods: Pods) -> Iterator[list[int]]:
    """Count the workers that are ready, again and again to the end of the block."""
    counts: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.3):
            counts.append(pods.ready("worker"))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def _set_passwords() -> None:
    """Give the roles the passwords that the pods' secrets have."""
    with psycopg.connect(_database("icam_owner")) as conn:
        for role in ("icam_worker", "icam_exporter", "icam_auditor", "icam_board"):
            statement = sql.SQL("ALTER ROLE {} PASSWORD 'local-only'")
            conn.execute(statement.format(sql.Identifier(role)))


def _database(role: str) -> str:
    return f"postgresql://{role}:local-only@{GATEWAY}:5432/icam"


def _without_error(answers: Callable[[], bool]) -> bool:
    try:
        return answers()
    except psycopg.OperationalError:
        return False


def _restarts(pod: dict[str, Any]) -> int:
    return sum(one["restartCount"] for one in pod["status"].get("containerStatuses", ()))


def _ready_at(pod: dict[str, Any]) -> datetime | None:
    """Return since when a pod is ready; None when it is not."""
    for one in pod["status"].get("conditions", ()):
        if (one["type"], one["status"]) == ("Ready", "True"):
            return datetime.fromisoformat(one["lastTransitionTime"])
    return None


def _start_seconds(pod: dict[str, Any]) -> float:
    """Return the seconds, whole, from the start of a pod's container until it was ready."""
    (status,) = pod["status"]["containerStatuses"]
    ready = _ready_at(pod)
    expect(ready is not None, "not ready")
    assert ready is not None
    started = datetime.fromisoformat(status["state"]["running"]["startedAt"])
    return (ready - started).total_seconds()


def _resident_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024

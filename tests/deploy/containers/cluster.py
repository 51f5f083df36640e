"""A Kubernetes control plane and two nodes on this machine, for the time of one run.

The nodes are containerd with a bridge network, and a kubelet. The bridge does not enforce network
policies. No kube-proxy and no DNS run: our pods reach brokers and database by address.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from . import tools
from .commands import Daemon, Failed, run, wait
from .engine import Engine
from .machine import HOME, LOGS

_FOLDER: Final = HOME / "cluster"
_CONFIG: Final = _FOLDER / "config"
_BRIDGE: Final = "cni-icam"
GATEWAY: Final = "10.86.0.1"
"""The address of the host on the pods' network."""
_SUBNET: Final = "10.86.0.0/24"
NODES: Final = ("node-1", "node-2")

_API: Final = 26443
_ETCD: Final = 22379
_KUBELET: Final = 20250
PORTS: Final = (
    *(_API, _ETCD, _ETCD + 1),
    *(_KUBELET + 10 * number + offset for number in range(len(NODES)) for offset in (0, 8)),
)
"""Ports used on 127.0.0.1."""
_POD_LOG_LINKS: Final = Path("/var/log/containers")
"""Where a kubelet links the logs of its containers, whatever its settings."""
_NAMESPACE: Final = "k8s.io"
"""Where containerd keeps what a kubelet asked for."""


@dataclass(frozen=True)
class Cluster:
    """The running cluster and its client."""

    program: Path

    def kubectl(self, *words: str | Path, timeout: float = 600) -> str:
        """Run a kubectl command and return its output."""
        env = {"KUBECONFIG": str(_CONFIG), "KUBECACHEDIR": str(_FOLDER / "kubectl")}
        return run(self.program, "kubectl", *words, env=env, timeout=timeout).strip()

    def get(self, *words: str) -> list[dict[str, Any]]:
        """Return the objects that ``kubectl get`` finds."""
        text = self.kubectl("get", *words, "--output=json")
        found: list[dict[str, Any]] = orjson.loads(text)["items"]
        return found

    def process(self, node: str, container: str) -> int:
        """Return the process id of a container on this machine."""
        lines = _ctr(node, "tasks", "list").splitlines()[1:]
        return next(int(pid) for name, pid, _ in map(str.split, lines) if name == container)


@contextmanager
def cluster(engine: Engine, images: list[str]) -> Iterator[Cluster]:
    """Start the cluster, with images of the engine on its nodes; stop and remove it at the end."""
    program = tools.kubernetes()
    with ExitStack() as stack:
        _remove()
        _FOLDER.mkdir(parents=True)
        stack.callback(_remove)
        _add_bridge()
        _control_plane(stack, program)
        client = Cluster(program)
        archive = _FOLDER / "images.tar"
        engine.docker("save", "--output", archive, *images)
        for number, node in enumerate(NODES):
            _node(stack, program, node, number, archive, images)
        archive.unlink()
        wait("nodes ready", lambda: _all_ready(client.get("nodes")))
        yield client


def _control_plane(stack: ExitStack, program: Path) -> None:
    """Start etcd, API server, controllers and scheduler on loopback."""
    key = _FOLDER / "accounts.key"
    run("openssl", "genrsa", "-out", key, "2048")
    token = secrets.token_hex(16)
    (_FOLDER / "tokens").write_text(f"{token},admin,admin,system:masters\n")
    _CONFIG.write_text(yaml.safe_dump(_client(token)))
    _CONFIG.chmod(0o600)
    here, peer = f"http://127.0.0.1:{_ETCD}", f"http://127.0.0.1:{_ETCD + 1}"

    def start(part: str, **options: object) -> Daemon:
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        daemon = Daemon(program, part, *words, log=LOGS / f"{part}.log")
        stack.callback(daemon.stop)
        return daemon

    start(
        "etcd",
        data_dir=_FOLDER / "etcd",
        listen_client_urls=here,
        advertise_client_urls=here,
        listen_peer_urls=peer,
        initial_advertise_peer_urls=peer,
        initial_cluster=f"default={peer}",
        unsafe_no_fsync=True,
    )
    server = start(
        "kube-apiserver",
        etcd_servers=here,
        bind_address="127.0.0.1",
        secure_port=_API,
        cert_dir=_FOLDER / "certificates",
        token_auth_file=_FOLDER / "tokens",
        authorization_mode="RBAC",
        service_account_issuer="https://kubernetes.default.svc",
        service_account_signing_key_file=key,
        service_account_key_file=key,
        service_cluster_ip_range="10.87.0.0/24",
        endpoint_reconciler_type="none",
        shutdown_delay_duration="0s",
    )
    client = Cluster(program)

    def serves() -> bool:
        server.check()
        with suppress(Failed):
            return client.kubectl("get", "--raw=/readyz", timeout=10) == "ok"
        return False

    wait("API server", serves, timeout=180)
    start(
        "kube-controller-manager",
        kubeconfig=_CONFIG,
        service_account_private_key_file=key,
        leader_elect=False,
        secure_port=0,
        controllers="*,-nodeipam,-cloud-node-lifecycle,-service-lb-controller,-node-route-controller",
    )
    start("kube-scheduler", kubeconfig=_CONFIG, leader_elect=False, secure_port=0)


def _client(token: str) -> Mapping[str, object]:
    server = {"server": f"https://127.0.0.1:{_API}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
        "current-context": "here",
    }


def _node(
    stack: ExitStack, program: Path, name: str, number: int, archive: Path, images: list[str]
) -> None:
    """Start containerd and a kubelet."""
    folder = _FOLDER / name
    (folder / "cni").mkdir(parents=True)
    group = f"/icam-{name}"
    _add_group(group)
    stack.callback(_remove_group, group)
    pause = next(image for image in images if "pause" in image)
    (folder / "containerd.toml").write_text(_containerd(folder, f"docker.io/library/{pause}"))
    (folder / "cni" / "10-bridge.conflist").write_text(_network(folder, number))
    daemon = Daemon(
        *("containerd", "--config", folder / "containerd.toml"), log=LOGS / f"{name}-containerd.log"
    )
    stack.callback(daemon.stop)
    stack.callback(_stop_containers, name)

    def answers() -> bool:
        daemon.check()
        with suppress(Failed):
            return bool(_ctr(name, "version"))
        return False

    wait("containerd", answers, timeout=60)
    _ctr(name, "images", "import", str(archive))
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(folder, number, group)))
    kubelet = Daemon(
        *(program, "kubelet", "--config", folder / "kubelet.yaml", "--kubeconfig", _CONFIG),
        *("--root-dir", folder / "kubelet", "--cert-dir", folder / "pki"),
        *("--hostname-override", name, "--node-ip", GATEWAY),
        log=LOGS / f"{name}-kubelet.log",
    )
    stack.callback(kubelet.stop)


def _containerd(folder: Path, pause: str) -> str:
    return f"""version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  # Root of a virtual machine may lack the right to lower a process's score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""


def _network(folder: Path, number: int) -> str:
    first, last = 20 + 100 * number, 119 + 100 * number
    addresses = {
        "type": "host-local",
        "dataDir": str(folder / "addresses"),
        "ranges": [
            [
                {
                    "subnet": _SUBNET,
                    "gateway": GATEWAY,
                    "rangeStart": f"10.86.0.{first}",
                    "rangeEnd": f"10.86.0.{last}",
                }
            ]
        ],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": _BRIDGE, "isGateway": True, "ipam": addresses}
    network = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
    return orjson.dumps(network).decode()


def _kubelet(folder: Path, number: int, group: str) -> Mapping[str, object]:
    port = _KUBELET + 10 * number
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "address": "127.0.0.1",
        "port": port,
        "healthzPort": port + 8,
        "readOnlyPort": 0,
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": group,
        "podLogsDir": str(LOGS / "pods" / folder.name),
        "volumePluginDir": str(folder / "plugins"),
        # A machine shared with other work: nothing is evicted for its disk or memory, or its swap.
        "evictionHard": {"memory.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "failSwapOn": False,
        "failCgroupV1": False,
    }


def _all_ready(nodes: list[dict[str, Any]]) -> bool:
    conditions = [
        {one["type"]: one["status"] for one in node["status"]["conditions"]} for node in nodes
    ]
    return len(nodes) == len(NODES) and all(one.get("Ready") == "True" for one in conditions)


def _ctr(node: str, *words: str) -> str:
    socket = _FOLDER / node / "containerd.sock"
    return run("ctr", "--address", socket, "--namespace", _NAMESPACE, *words)


def _stop_containers(node: str) -> None:
    """End what the kubelet did not; its shims would outlive containerd."""
    for container in _ctr(node, "tasks", "list", "--quiet").split():
        _ctr(node, "tasks", "delete", "--force", container)


def _add_bridge() -> None:
    """Add the pods' bridge, before the first pod would: broker and database listen on it."""
    run("ip", "link", "add", _BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{GATEWAY}/24", "dev", _BRIDGE)
    run("ip", "link", "set", _BRIDGE, "up")


def _groups(name: str) -> list[Path]:
    """Return the folder of a control group in every hierarchy of this machine."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        return [top / name.lstrip("/")]
    return [one / name.lstrip("/") for one in top.iterdir() if one.is_dir()]


def _add_group(name: str) -> None:
    """Add a control group for a node: two kubelets in one would remove each other's pods."""
    for folder in _groups(name):
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (folder / file).exists():
                (folder / file).write_text((folder.parent / file).read_text())


def _remove_group(name: str) -> None:
    for top in _groups(name):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _remove() -> None:
    """Remove everything of a cluster from this machine: shims, mounts, bridge, files."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program, *words = (entry / "cmdline").read_bytes().split(b"\0")
            ours = any(word.startswith(bytes(_FOLDER)) for word in words)
            if ours and program.endswith(b"containerd-shim-runc-v2"):
                os.kill(int(entry.name), signal.SIGKILL)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{_FOLDER}/")), reverse=True):
        run("umount", "--lazy", mount)
    if Path("/sys/class/net", _BRIDGE).exists():
        run("ip", "link", "delete", _BRIDGE)
    for link in _POD_LOG_LINKS.glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(LOGS):
            link.unlink()
    shutil.rmtree(_FOLDER, ignore_errors=True)

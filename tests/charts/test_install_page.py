"""The commands of ``docs/install.md``, one by one, as they stand there; whoever follows the page gets what it promises."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from deploy.generate import ROOT
from tests.support import helm as helm_binary
from tests.support.api_server import ApiServer, api_server, free_port
from tests.support.containers import Pod, Process

pytestmark = [pytest.mark.helm, pytest.mark.apiserver, pytest.mark.netns, pytest.mark.envoy, pytest.mark.timeout(180)]

PAGE = (ROOT / "docs" / "install.md").read_text()
WITHOUT_HELM = "### Without Helm in the cluster"
NAMESPACE = "istio-system"
ROLLOUT = re.compile(r"kubectl -n istio-system rollout status deployment/(\S+)")


def sections() -> dict[str, list[str]]:
    """Return the commands of the page by the headings that they stand under."""
    found: dict[str, list[str]] = {}
    heading, inside = "", False
    for line in PAGE.splitlines():
        if line.startswith("#") and not inside:
            heading = line
        elif line.startswith("```"):
            inside = line == "```sh"
        elif inside:
            found.setdefault(heading, []).append(line)
    return found


class Machine:
    """A shell with kubectl, helm and docker in a cluster that nobody runs pods in but the test, when ``rollout status`` waits for them.

    What charts are given beside what the page says are ports that are free here, on loopback.
    """

    def __init__(self, cluster: ApiServer, folder: Path, target: int) -> None:
        self._cluster = cluster
        self._folder = folder
        self._pods: dict[str, ExitStack] = {}
        self.processes: dict[str, Process] = {}
        self._starts = 0
        xds = free_port()
        control = {"bindAddress": "127.0.0.1", "ports.xds": xds, "ports.http": free_port(), "ports.webhook": free_port()}
        edge = {"xds.address": f"127.0.0.1:{xds}", "concurrency": 1, "service.ports[0].targetPort": target}
        edge |= {"service.ports[0].name": "http2", "service.ports[0].port": 80}
        edge |= {f"ports.{name}": free_port() for name in ("admin", "status", "metrics")}
        programs = {
            "kubectl": f'exec {cluster.binaries.kubectl} "$@"',
            "docker": "exit 0",
            "helm": f"""case " $* " in
  *" template "*) exec {helm_binary.ensure()} "$@" ;;
  *" deploy/charts/meshctl "*) exec {helm_binary.ensure()} "$@" {_flags(control)} ;;
  *" deploy/charts/meshctl-gateway "*) exec {helm_binary.ensure()} "$@" {_flags(edge)} ;;
  *) exec {helm_binary.ensure()} "$@" ;;
esac""",
        }
        (folder / "bin").mkdir(parents=True)
        for name, text in programs.items():
            path = folder / "bin" / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        kubeconfig = str(cluster.kubeconfig())
        self._environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "KUBECONFIG": kubeconfig, "HOME": str(folder)}

    def run(self, command: str) -> str:
        """Run a command at the top of the repository; raises AssertionError where it fails."""
        waits = ROLLOUT.fullmatch(command)
        if waits is not None:
            self._roll_out(waits[1])
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=ROOT,
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _roll_out(self, name: str) -> None:
        """Replace the pod of a Deployment, and say so in its status."""
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}"
        deployment = self._cluster.request("GET", path)
        if name in self._pods:
            self._pods.pop(name).close()
        self._starts += 1
        pod = Pod(deployment, self._cluster, self._folder / f"{name}-{self._starts}")
        pod.register()
        pod.start_up()
        self._pods[name] = stack = ExitStack()
        self.processes[name] = stack.enter_context(pod.running())
        count = deployment["spec"]["replicas"]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
        status = {**counts, "observedGeneration": deployment["metadata"]["generation"]}
        self._cluster.request("PATCH", f"{path}/status", {"status": status}, content="application/merge-patch+json")

    def close(self) -> None:
        """End all pods."""
        for stack in self._pods.values():
            stack.close()


def _flags(values: dict[str, object]) -> str:
    return " ".join(f"--set '{name}={value}'" for name, value in values.items())


def answer(port: int) -> str:
    """Return what a gateway answers, or nothing."""
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{port}/", retries=False, timeout=5.0).data.decode()
    except urllib3.exceptions.HTTPError:
        return ""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ApiServer]:
    """A cluster of its own, with nothing in it."""
    with api_server(tmp_path / "cluster", crds=False) as server:
        yield server


@pytest.fixture
def target() -> int:
    """The port that the gateway opens."""
    return free_port()


@pytest.fixture
def shell(empty: ApiServer, tmp_path: Path, target: int) -> Iterator[Machine]:
    """A shell for the cluster."""
    machine = Machine(empty, tmp_path / "machine", target)
    try:
        yield machine
    finally:
        machine.close()


def test_the_page_can_be_followed(empty: ApiServer, shell: Machine, target: int) -> None:
    """Installed, served, narrowed, upgraded, rolled back, uninstalled: the gateway answers from when the page says so until it is taken away."""
    promised = ended = False
    by_heading = sections()
    without_helm = by_heading.pop(WITHOUT_HELM)
    empty.namespace(NAMESPACE)
    for command in without_helm:
        shell.run(command)
    assert "deployment.apps/meshctl" in shell.run(f"kubectl -n {NAMESPACE} get deployments,services -o name")
    for command in without_helm:
        shell.run(command.replace("kubectl apply", "kubectl delete"))
    for commands in by_heading.values():
        for command in commands:
            if command != f"kubectl create namespace {NAMESPACE}":  # it is there by now
                shell.run(command)
            if "quickstart.yaml" in command:
                envoy = shell.processes["istio-ingressgateway"]
                envoy.wait(lambda: answer(target) == "it works", "the gateway answers")
                promised = True
            elif "uninstall istio-ingressgateway" in command:
                ended = True
            elif promised and not ended:
                assert answer(target) == "it works", command
    assert promised
    assert ended
    assert "it works" in PAGE
    left = empty.kubectl("get", "all,configmap,secret,sa,role,rolebinding,pdb", "-n", NAMESPACE, "-o", "name").stdout.split()
    assert [name for name in left if name.startswith(("pod/", "configmap/kube-root", "serviceaccount/default"))] == left
    assert empty.kubectl("get", "clusterrole,clusterrolebinding,crd", "-o", "name", "-l", "app.kubernetes.io/part-of=meshctl").stdout == ""

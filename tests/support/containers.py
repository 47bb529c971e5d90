"""What a kubelet does with a pod, as far as tests need it: the containers' commands as processes with their environment and their files.

A process gets a mount namespace of its own, in which volumes are where the pod mounts them and everything else is read-only, as far as the
container says so. There is no image: ``meshctl`` and ``envoy`` are those of the environment. There is no other network, user or cgroup.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import urllib3

from meshctl_operator.base.clock import SystemClock
from tests.support.api_server import ApiServer
from tests.support.envoy_versions import newest

ACCOUNT_FILES: Final = "/run/secrets/kubernetes.io/serviceaccount"
ADDRESS: Final = "127.0.0.1"
NODE: Final = "node-1"
START_TIMEOUT: Final = 60.0
POLL_INTERVAL: Final = 0.05
LOG_TAIL: Final = 6000
_ROOT: Final = Path(__file__).resolve().parents[2]


class Pod:
    """A pod of a Deployment, as one replica would be.

    Args:
        deployment: the object as rendered.
        server: where its service account gets tokens, and its ConfigMaps and Secrets are.
        folder: for volumes and logs.
        name: of the pod.
    """

    def __init__(self, deployment: Any, server: ApiServer, folder: Path, name: str = "") -> None:
        template = deployment["spec"]["template"]
        self.spec: dict[str, Any] = template["spec"]
        self.namespace: str = deployment["metadata"]["namespace"]
        self.name = name or f"{deployment['metadata']['name']}-0"
        self.labels: dict[str, str] = template["metadata"]["labels"]
        self._annotations: dict[str, str] = template["metadata"].get("annotations", {})
        self._server = server
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._volumes = {volume["name"]: self._volume(volume) for volume in self.spec.get("volumes", ())}

    @property
    def account(self) -> str:
        """The name of the service account."""
        return str(self.spec.get("serviceAccountName", "default"))

    @property
    def user(self) -> str:
        """The name of the service account's user."""
        return f"system:serviceaccount:{self.namespace}:{self.account}"

    def register(self, *, ready: bool = True) -> None:
        """Make the pod an object of the API server, running on a node."""
        spec = {**self.spec, "nodeName": NODE}
        status = {
            "phase": "Running",
            "podIP": ADDRESS,
            "podIPs": [{"ip": ADDRESS}],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        }
        meta = {"name": self.name, "namespace": self.namespace, "labels": self.labels}
        self._server.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status})

    def start_up(self) -> None:
        """Run the init containers, each to its end. Raises AssertionError for one that fails."""
        for container in self.spec.get("initContainers", ()):
            command, environment = self._command(container), self._environment(container)
            done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{container['name']}: {done.stdout}{done.stderr}"

    @contextmanager
    def running(self, *, until: str = "readinessProbe") -> Iterator[Process]:
        """Run the first container for the length of a block, from when its probe succeeds."""
        (container, *_) = self.spec["containers"]
        log = self._folder / f"{container['name']}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._command(container), env=self._environment(container), stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        started = Process(container, process, log)
        try:
            if until:
                started.wait(lambda: started.probe(until), f"its {until} succeeds")
            yield started
        finally:
            started.end()

    def _command(self, container: Any) -> list[str]:
        words = [*container["command"], *container.get("args", ())]
        assert not any("$(" in word for word in words), "variables in arguments are not replaced here"
        programs = {"meshctl": [sys.executable, "-m", "meshctl_operator.cli.main"], "envoy": [str(newest())]}
        mounts = {mount["mountPath"]: (self._volumes[mount["name"]], mount) for mount in container.get("volumeMounts", ())}
        if self.spec.get("automountServiceAccountToken", True):
            mounts[ACCOUNT_FILES] = (self._account_files(), {"readOnly": True})
        script = "set -e; mount -t tmpfs none /run\n"
        for target, (source, mount) in sorted(mounts.items(), key=lambda item: (item[0] == "/tmp", item[0])):  # noqa: S108  (it may hide the sources)
            script += _mount(source, target, read_only=bool(mount.get("readOnly")))
        if container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            script += "mount -o remount,bind,ro /\n"
        script += 'exec "$@"'
        isolation = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
        return [*isolation, *programs[words[0]], *words[1:]]

    def _environment(self, container: Any) -> dict[str, str]:
        found = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        found |= {"HOME": "/", "KUBERNETES_SERVICE_HOST": ADDRESS, "KUBERNETES_SERVICE_PORT": str(self._server.port)}
        for variable in container.get("env", ()):
            source = variable.get("valueFrom")
            found[variable["name"]] = variable.get("value", "") if source is None else self._field(source["fieldRef"]["fieldPath"])
        return found

    def _field(self, path: str) -> str:
        known = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.labels": "".join(f"{name}={json.dumps(value)}\n" for name, value in sorted(self.labels.items())),
            "spec.serviceAccountName": self.account,
            "spec.nodeName": NODE,
            "status.podIP": ADDRESS,
            "status.podIPs": ADDRESS,
            "status.hostIP": ADDRESS,
        }
        return known[path]

    def _volume(self, volume: Mapping[str, Any]) -> Path:
        """Return a folder with what a volume holds; files are replaced by way of a symbolic link, as a kubelet does."""
        folder = self._folder / "volumes" / str(volume["name"])
        folder.mkdir(parents=True, exist_ok=True)
        match volume:
            case {"emptyDir": _}:
                pass
            case {"configMap": {"name": name}}:
                found = self._server.request("GET", f"/api/v1/namespaces/{self.namespace}/configmaps/{name}")
                self._fill(folder, found.get("data", {}))
            case {"downwardAPI": {"items": items}}:
                self._fill(folder, {item["path"]: self._field(item["fieldRef"]["fieldPath"]) for item in items})
            case {"projected": {"sources": sources}}:
                self._fill(folder, {name: text for source in sources for name, text in self._projected(source).items()})
            case _:
                raise AssertionError(f"a volume that tests cannot make: {volume}")
        return folder

    def _projected(self, source: Mapping[str, Any]) -> dict[str, str]:
        match source:
            case {"serviceAccountToken": token}:
                audiences = [token["audience"]] if "audience" in token else []
                return {token["path"]: self._server.token(self.namespace, self.account, *audiences)}
            case {"configMap": wanted}:
                path = f"/api/v1/namespaces/{self.namespace}/configmaps/{wanted['name']}"
                data: dict[str, str] = self._server.request("GET", path).get("data", {})
                return {item["path"]: data[item["key"]] for item in wanted["items"]} if "items" in wanted else data
            case _:
                raise AssertionError(f"a source that tests cannot project: {source}")

    def _account_files(self) -> Path:
        folder = self._folder / "volumes" / "service-account"
        folder.mkdir(parents=True, exist_ok=True)
        token = self._server.token(self.namespace, self.account)
        self._fill(folder, {"token": token, "ca.crt": self._server.certificate.read_text(), "namespace": self.namespace})
        return folder

    @staticmethod
    def _fill(folder: Path, files: Mapping[str, str]) -> None:
        data = folder / f"..{time.monotonic_ns()}"
        data.mkdir()
        for name, text in files.items():
            (data / name).write_text(text)
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(Path("..data", name))
        fresh = folder / "..data_tmp"
        fresh.symlink_to(data.name)
        fresh.replace(folder / "..data")


def _mount(source: Path, target: str, *, read_only: bool) -> str:
    """Return the commands that put a folder in its place. ``/tmp`` stays as it is where programs of the test are under it."""
    place = shlex.quote(target)
    own = target == "/tmp" and any(path.is_relative_to(target) for path in (_ROOT, Path(sys.prefix), newest()))  # noqa: S108  (a mount point)
    command = f"mkdir -p {place}; mount --bind {place if own else shlex.quote(str(source))} {place}\n"
    return command + (f"mount -o remount,bind,ro {place}\n" if read_only else "")


class Process:
    """A container that runs."""

    def __init__(self, container: Any, process: subprocess.Popen[bytes], log: Path) -> None:
        self._container = container
        self._process = process
        self._path = log

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._path.read_text(errors="replace")

    def port(self, name: str | int) -> int:
        """Return a port by its name."""
        if isinstance(name, int):
            return name
        return next(int(port["containerPort"]) for port in self._container["ports"] if port["name"] == name)

    def probe(self, name: str) -> bool:
        """Ask once what a probe asks."""
        asked = self._container[name]["httpGet"]
        return self.get(asked["port"], asked["path"]) == 200

    def get(self, port: str | int, path: str, host: str = "") -> int | None:
        """Return the status of a page on a port, or None where nothing answers."""
        url = f"http://{ADDRESS}:{self.port(port)}{path}"
        try:
            return urllib3.request("GET", url, headers={"Host": host} if host else {}, retries=False, timeout=5.0).status
        except urllib3.exceptions.HTTPError:
            return None

    def wait(self, check: Callable[[], bool], what: str) -> None:
        """Wait until something holds; raises AssertionError with the log when that takes too long or the process ends."""
        clock = SystemClock()
        deadline = clock.monotonic() + START_TIMEOUT
        while not check():
            ended = self._process.poll() is not None
            assert not ended, f"{self._container['name']} ended before {what}:\n{self.log[-LOG_TAIL:]}"
            assert clock.monotonic() < deadline, f"waited in vain until {what}:\n{self.log[-LOG_TAIL:]}"
            time.sleep(POLL_INTERVAL)

    def end(self) -> int:
        """End it as a kubelet does, and return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._process.returncode

"""CRDs of others under the same names: only one set can be installed, so ours must not be needed.

They differ from ours in that the conditions are one list (which server-side apply replaces as a whole) and there are no columns of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshctl_operator.apis.crds import crd
from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from tests.support.api_server import ApiServer, api_server, object_path
from tests.support.kube_rig import kube_settings, telling
from tests.support.meshes import RawObject, istio
from tests.support.operator_process import NAMESPACE, install_webhook, next_event, serving, uninstall_webhook

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

WORKLOAD = istio("WorkloadEntry", "vm", {"address": "10.9.8.7"})
HEALTHY = {"type": "Healthy", "status": "True", "reason": "Probed", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def foreign_crd(kind: Kind) -> RawObject:
    """Return the CRD of a kind as somebody else might have written it."""
    made: Any = crd(kind)
    for version in made["spec"]["versions"]:
        del version["additionalPrinterColumns"]
        status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
        status["properties"]["conditions"] = {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return dict(made)


@pytest.fixture(scope="module")
def foreign_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with the CRDs of somebody else."""
    with api_server(tmp_path_factory.mktemp("foreign-apiserver"), crds=False) as server:
        kinds = list(ROUTING_SPECS)
        server.apply(*map(foreign_crd, kinds))
        names = [f"crd/{crd(kind)['metadata']['name']}" for kind in kinds]  # type: ignore[index]
        server.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
        yield server


def put_status(server: ApiServer, given: RawObject, status: RawObject) -> None:
    """Write a status as another controller does."""
    server.request("PATCH", f"{object_path(given)}/status", {"status": status}, content="application/merge-patch+json")


async def test_objects_and_the_conditions_of_others_are_read(foreign_server: ApiServer) -> None:
    """The conditions of a workload are read; a status that nothing is compiled from is no change."""
    rule = istio("VirtualService", "a", {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]})
    foreign_server.apply(WORKLOAD, rule)
    put_status(foreign_server, WORKLOAD, {"conditions": [HEALTHY]})
    async with telling(kube_settings(foreign_server.kubeconfig())) as told:
        await told.in_sync()
        held = told.held("WorkloadEntry", "vm")
        assert held is not None
        assert held.object.status is not None
        assert [(one.type, one.status) for one in held.object.status.conditions] == [("Healthy", "True")]
        before = len(told.sets)
        put_status(foreign_server, rule, {"conditions": [{"type": "Accepted", "status": "True"}]})
        foreign_server.apply(istio("Sidecar", "later", {"egress": [{"hosts": ["./*"]}]}))
        await told.until(lambda: told.names("Sidecar") == {"later"})
        changed = {change.key.name for changes in told.sets[before:] for change in changes.changes}
        assert changed == {"later"}
    foreign_server.clear()


def test_objects_are_judged(foreign_server: ApiServer) -> None:
    """The webhook needs nothing of our schemas."""
    foreign_server.namespace(NAMESPACE)
    with serving(foreign_server, "--webhook", "127.0.0.1:0") as process:
        install_webhook(foreign_server, next_event(process)["webhook"])
        next_event(process, "synced")
        given = istio("VirtualService", "lost", {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "nowhere"}}]}]})
        foreign_server.apply(given, WORKLOAD)
        put_status(foreign_server, WORKLOAD, {"conditions": [HEALTHY]})
        said = foreign_server.kubectl("annotate", "vs", "lost", "a=b").stderr
        assert 'Warning: spec.http[0].route[0].destination.host "nowhere" matches no service' in said
        uninstall_webhook(foreign_server)
    foreign_server.clear()

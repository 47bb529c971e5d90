"""What a pod gets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.options import AppProbe
from meshctl_operator.cli.main import main
from meshctl_operator.injector.annotations import PodOptions, read_options
from meshctl_operator.injector.containers import PodFacts, bootstrap_text, init_container, proxy_container
from meshctl_operator.injector.settings import InjectorSettings

SETTINGS = InjectorSettings()
FACTS = PodFacts({"app": "web", "pod-template-hash": "5d8f"}, "web", "owner", ({"containerPort": 80},), ("app",))
VARIABLES = {"POD_NAME": "web-1", "POD_NAMESPACE": "shop", "INSTANCE_IP": "10.1.0.7"}


def options(**annotations: str) -> PodOptions:
    """Return the options that annotations of ``sidecar.istio.io`` give."""
    return read_options({f"sidecar.istio.io/{key}": value for key, value in annotations.items()}, SETTINGS, ObjectKey("Pod", "", ""))[0]


def expanded(text: str) -> Any:
    """Return the bootstrap as Envoy gets it: variables replaced by Kubernetes."""
    return json.loads(re.sub(r"\$\$|\$\((\w+)\)", lambda found: "$" if found[0] == "$$" else VARIABLES.get(found[1], found[1]), text))


def test_the_bootstrap_knows_its_pod_when_it_starts() -> None:
    """Name, namespace and address are put in by Kubernetes, into every part of the node."""
    node = expanded(bootstrap_text(options(), SETTINGS, FACTS, ()))["node"]
    assert node["id"] == "sidecar~10.1.0.7~web-1.shop~shop.svc.cluster.local"
    assert node["cluster"] == "web.shop"
    assert node["metadata"]["LABELS"] == {"app": "web"}
    assert node["metadata"]["POD_PORTS"] == '[{"containerPort":80}]'


def test_without_an_app_label_the_workload_names_the_cluster() -> None:
    """Statistics of all its pods belong together."""
    assert expanded(bootstrap_text(options(), SETTINGS, PodFacts({}, "web"), ()))["node"]["cluster"] == "web.shop"
    assert expanded(bootstrap_text(options(), SETTINGS, PodFacts({}), ()))["node"]["cluster"] == "istio-proxy.shop"


def test_dollar_signs_of_others_survive() -> None:
    """Also where they look like a variable."""
    probe = AppProbe("/p", 80, "/$(POD_NAME)$$x$")
    text = bootstrap_text(options(), SETTINGS, FACTS, (probe,))
    routes = [listener for listener in expanded(text)["static_resources"]["listeners"] if listener["name"] == "0.0.0.0_15020"]
    assert "/$(POD_NAME)$$x$" in str(routes)


def test_the_init_container_is_a_command_that_we_have(capsys: pytest.CaptureFixture[str]) -> None:
    """With every option it may be given."""
    wanted = replace(
        options(), exclude_outbound_ports=(1,), include_outbound_ports=(2,), virtual_interfaces=("a",), exclude_interfaces=("b",)
    )
    for uid in ("1337", "2000"):
        container: Any = init_container(wanted, replace(SETTINGS, dual_stack=True), (7,), uid)
        assert container["command"] == ["meshctl"]
        words = ["print" if word == "apply" else word for word in container["args"]]
        assert main(words) == 0
        shown = capsys.readouterr().out
        for part in (f"--uid-owner {uid} ", "--gid-owner 1337 ", "--dport 15021 -j RETURN", "--dport 7 -j RETURN"):
            assert part in shown


def test_privileges() -> None:
    """None, unless Envoy has to take addresses of others or low ports; then it is root in the group of proxies."""
    plain: Any = proxy_container(options(), SETTINGS, FACTS, (), {})["securityContext"]
    assert (plain["runAsUser"], plain["runAsGroup"], plain["capabilities"]) == (1337, 1337, {"drop": ["ALL"]})
    for wanted, capability in (({"interceptionMode": "TPROXY"}, "NET_ADMIN"), ({"capNetBindService": "true"}, "NET_BIND_SERVICE")):
        more: Any = proxy_container(options(**wanted), SETTINGS, FACTS, (), {})["securityContext"]
        assert (more["runAsUser"], more["runAsGroup"]) == (0, 1337)
        assert more["capabilities"] == {"add": [capability], "drop": ["ALL"]}


def test_gateways_are_routers() -> None:
    """With the same identity, and no probes of others."""
    gateway = replace(options(), templates=("gateway",))
    node = expanded(bootstrap_text(gateway, SETTINGS, FACTS, ()))["node"]
    assert node["id"].startswith("router~")
    assert "INTERCEPTION_MODE" not in node["metadata"]

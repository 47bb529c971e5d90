"""The rules of RBAC."""

from __future__ import annotations

import itertools

from meshctl_operator.kube.permissions import Rule, cluster_rules, namespace_rules, secret_rules
from meshctl_operator.kube.scopes import ROUTING, churning_scopes
from meshctl_operator.kube.settings import KubeSettings

ALL = (*cluster_rules(), *secret_rules(), *namespace_rules())


def allowed(rules: tuple[Rule, ...], group: str, resource: str) -> set[str]:
    """Return the verbs that rules allow on a resource."""
    return {verb for rule in rules if rule.group == group and resource in rule.resources for verb in rule.verbs}


def test_everything_that_is_watched_may_be_watched() -> None:
    """Each kind with an own watch, and each routing kind with its status."""
    for scope in churning_scopes(KubeSettings()):
        assert {"list", "watch"} <= allowed(ALL, scope.info.group, scope.info.plural), scope
    for info in ROUTING:
        assert {"get", "list", "watch"} <= allowed(cluster_rules(), info.group, info.plural)
        assert {"get", "patch", "update"} <= allowed(cluster_rules(), info.group, f"{info.plural}/status")


def test_nothing_is_asked_for_that_is_not_needed() -> None:
    """No wildcards, nothing is deleted, users' objects are never written, and other people's Secrets are not read one by one."""
    for rule in ALL:
        assert "*" not in {*rule.resources, *rule.verbs, rule.group}
        assert not {"delete", "deletecollection", "escalate", "bind", "impersonate"} & set(rule.verbs)
        assert rule.why
    for info in ROUTING:
        assert not {"create", "update", "patch"} & allowed(ALL, info.group, info.plural)
    assert allowed(cluster_rules(), "", "secrets") == set()
    assert allowed(secret_rules(), "", "secrets") == {"list", "watch"}


def test_names_narrow_where_they_can() -> None:
    """Whatever is written by name is allowed for that name only: a creation and a lease have none in advance."""
    for rule in itertools.chain(cluster_rules("mine"), namespace_rules("settings", "certificate")):
        if rule.resources in {("secrets",), ("configmaps",), ("validatingwebhookconfigurations",)} and rule.verbs != ("create",):
            assert rule.names in {("mine",), ("settings",), ("certificate",)}


def test_json() -> None:
    """A rule is what an API server takes."""
    assert Rule("", ("pods",), ("list",), "x").to_json() == {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    assert Rule("", ("pods",), ("list",), "x", ("a",)).to_json()["resourceNames"] == ["a"]

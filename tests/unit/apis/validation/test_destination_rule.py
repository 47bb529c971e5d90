"""Rules of DestinationRule: host, visibility, subsets."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ACCEPTED = {
    "short host": "{host: reviews}",
    "star": "{host: '*'}",
    "wildcards": "{host: '*.shop.svc.cluster.local'}",
    "subsets": "{host: a, subsets: [{name: v1, labels: {version: v1}}, {name: V2}]}",
    "selector": "{host: a, workloadSelector: {matchLabels: {app: x}}, exportTo: ['.']}",
    "selector and own namespace": "{host: a, workloadSelector: {matchLabels: {app: x}}, exportTo: [shop]}",
    "exported": "{host: a, exportTo: ['*']}",
}
REJECTED = {
    "no host": ("{subsets: []}", "MC1020", "spec.host"),
    "address": ("{host: 10.0.0.1}", "MC1020", "spec.host"),
    "underscore": ("{host: my_service}", "MC1020", "spec.host"),
    "long host": (f"{{host: {'.'.join(['a' * 63] * 5)}}}", "MC1020", "spec.host"),
    "export to all and one": ("{host: a, exportTo: ['*', shop]}", "MC1024", "spec.exportTo"),
    "export to nobody": ("{host: a, exportTo: ['~']}", "MC1024", "spec.exportTo[0]"),
    "export twice": ("{host: a, exportTo: ['.', shop]}", "MC1024", "spec.exportTo[1]"),
    "wide selector": ("{host: a, workloadSelector: {matchLabels: {app: x}}, exportTo: ['*']}", "MC1309", "spec.exportTo"),
    "star in a selector": ("{host: a, workloadSelector: {matchLabels: {app: 'x*'}}}", "MC1031", "spec.workloadSelector.matchLabels.app"),
    "long value in a selector": (
        f"{{host: a, workloadSelector: {{matchLabels: {{app: {'x' * 64}}}}}}}",
        "MC1031",
        "spec.workloadSelector.matchLabels.app",
    ),
    "subset without a name": ("{host: a, subsets: [{labels: {a: b}}]}", "MC1301", "spec.subsets[0].name"),
    "subset with a dot": ("{host: a, subsets: [{name: v.1}]}", "MC1301", "spec.subsets[0].name"),
    "subset twice": ("{host: a, subsets: [{name: v1}, {name: v1}]}", "MC1301", "spec.subsets[1].name"),
    "subset with a bad label": ("{host: a, subsets: [{name: v1, labels: {'a/b/c': x}}]}", "MC1025", 'spec.subsets[0].labels["a/b/c"]'),
    "subset with an empty policy": ("{host: a, subsets: [{name: v1, trafficPolicy: {}}]}", "MC1308", "spec.subsets[0].trafficPolicy"),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: str) -> None:
    """What the API server and Istio's admission accept, we accept."""
    assert errors_of("DestinationRule", spec) == []


@pytest.mark.parametrize(("spec", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(spec: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("DestinationRule", spec) == [(code, path)]


def test_empty_selector() -> None:
    """A selector without labels selects the whole namespace, which is warned about."""
    assert warnings_of("DestinationRule", "{host: a, workloadSelector: {}}") == [("MC1031", "spec.workloadSelector.matchLabels")]

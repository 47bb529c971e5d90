"""What is generated under ``deploy/charts``: READMEs, schemas of values, rules of RBAC and of webhooks.

Run ``python -m deploy.generate`` at the top of the repository; a test fails when a committed file differs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import yaml

from deploy.values_comments import read, schema, table
from meshctl_operator.kube.admission.installation import webhook_configuration
from meshctl_operator.kube.permissions import Rule, cluster_rules, namespace_rules, secret_rules

ROOT: Final = Path(__file__).resolve().parents[1]
CHARTS: Final = ROOT / "deploy" / "charts"
NAMES: Final = ("meshctl-crds", "meshctl", "meshctl-gateway")

_README: Final = """\
# {name}

{description}. How to install it, and what for, is told in [docs/install.md](../../../docs/install.md). Generated from `values.yaml`; do not edit.

```sh
helm install {release} deploy/charts/{name} -n istio-system
```

{table}"""
_RELEASES: Final = {"meshctl-gateway": "istio-ingressgateway"}


def generated() -> dict[Path, str]:
    """Return every generated file with its content."""
    return dict(_files())


def _files() -> Iterator[tuple[Path, str]]:
    for name in NAMES:
        folder = CHARTS / name
        about = yaml.safe_load((folder / "Chart.yaml").read_text())
        values = read((folder / "values.yaml").read_text())
        release = _RELEASES.get(name, name)
        text = _README.format(name=name, description=about["description"], release=release, table=table(values))
        yield folder / "README.md", text
        yield folder / "values.schema.json", json.dumps(schema(values, f"Values of the chart {name}"), indent=2) + "\n"
    yield CHARTS / "meshctl" / "templates" / "_rules.tpl", "".join(_rules())
    yield CHARTS / "meshctl" / "templates" / "_webhooks.tpl", "".join(_webhooks())


def _webhooks() -> Iterator[str]:
    """Yield what the operator says of its webhook; the rest depends on the release."""
    (hook,) = webhook_configuration("")["webhooks"]
    same = {name: hook[name] for name in ("rules", "admissionReviewVersions", "matchPolicy", "sideEffects")}
    yield "{{/* Generated from the webhook of the operator; do not edit. */}}\n"
    yield '{{- define "meshctl.webhook.validation" -}}\n'
    yield yaml.safe_dump(same, default_flow_style=None, sort_keys=False, width=1000)
    yield f'{{{{- end -}}}}\n{{{{- define "meshctl.webhook.validation.path" -}}}}{hook["clientConfig"]["service"]["path"]}{{{{- end -}}}}\n'


def _rules() -> Iterator[str]:
    """Yield the rules as named templates; names that depend on the release are left to Helm."""
    everywhere = cluster_rules('{{ include "meshctl.webhookConfiguration" . }}')
    named = '{{ include "meshctl.webhookSecret" . }}'
    inside = namespace_rules(webhook_secret=named)
    yield "{{/* Generated from the permissions of the operator; do not edit. */}}\n"
    yield from _template("cluster", (rule for rule in everywhere if not _is_for_webhook(rule)))
    yield from _template("secrets", secret_rules())
    yield from _template("system", (rule for rule in inside if not _is_for_webhook(rule)))
    yield from _template("webhook.cluster", filter(_is_for_webhook, everywhere))
    yield from _template("webhook.system", filter(_is_for_webhook, inside))


def _is_for_webhook(rule: Rule) -> bool:
    """Tell whether a rule of the first or the last role is needed for the webhook alone: its configuration, and its certificate."""
    return rule.group == "admissionregistration.k8s.io" or rule.resources == ("secrets",)


def _template(name: str, rules: Iterable[Rule]) -> Iterator[str]:
    yield f'{{{{- define "meshctl.rules.{name}" -}}}}\n'
    for rule in rules:
        yield f"# {rule.why}\n"
        yield yaml.safe_dump([rule.to_json()], default_flow_style=None, sort_keys=False, width=1000)
    yield "{{- end -}}\n"


def main() -> None:
    """Write what differs."""
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    main()

"""Which pods get a proxy: by the labels of their namespaces and their own, as rows of a webhook configuration, and once more when one comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meshctl_operator.injector.annotations import INJECT_KEY, REVISION_KEY
from meshctl_operator.injector.json_values import JsonObject, as_object, as_texts
from meshctl_operator.injector.settings import DEFAULT_REVISION, IGNORED_NAMESPACES, InjectorSettings, matches_expression

INJECTION_LABEL: Final = "istio-injection"
NAMESPACE_NAME_LABEL: Final = "kubernetes.io/metadata.name"

Expression = tuple[str, str, tuple[str, ...]]

_NEITHER: Final[tuple[Expression, ...]] = ((INJECTION_LABEL, "DoesNotExist", ()), (REVISION_KEY, "DoesNotExist", ()))
_NOT_REFUSED: Final[Expression] = (INJECT_KEY, "NotIn", ("false",))


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """One webhook of the configuration: which namespaces and which pods it is for. Rows exclude each other, so a pod comes in once."""

    name: str
    namespaces: tuple[Expression, ...]
    pods: tuple[Expression, ...]

    def selects(self, namespace_labels: Mapping[str, str], pod_labels: Mapping[str, str]) -> bool:
        """Tell whether the API server would send the pod here."""
        return all(matches_expression(each, namespace_labels) for each in self.namespaces) and all(
            matches_expression(each, pod_labels) for each in self.pods
        )


def webhook_rows(settings: InjectorSettings) -> tuple[WebhookRow, ...]:
    """Return the webhooks of a revision. ``istio-injection`` speaks for the default revision, and beats ``istio.io/rev``."""
    revision = settings.revision or DEFAULT_REVISION
    rows = [
        WebhookRow("rev.namespace", ((REVISION_KEY, "In", (revision,)), (INJECTION_LABEL, "DoesNotExist", ())), (_NOT_REFUSED,)),
        WebhookRow("rev.object", _NEITHER, (_NOT_REFUSED, (REVISION_KEY, "In", (revision,)))),
    ]
    if revision == DEFAULT_REVISION:
        rows += [
            WebhookRow("namespace", ((INJECTION_LABEL, "In", ("enabled",)),), (_NOT_REFUSED,)),
            WebhookRow("object", _NEITHER, ((INJECT_KEY, "In", ("true",)), (REVISION_KEY, "DoesNotExist", ()))),
        ]
        if settings.enabled_by_default:
            ignored: Expression = (NAMESPACE_NAME_LABEL, "NotIn", tuple(sorted(IGNORED_NAMESPACES)))
            rows.append(WebhookRow("auto", (*_NEITHER, ignored), ((INJECT_KEY, "DoesNotExist", ()), (REVISION_KEY, "DoesNotExist", ()))))
    return tuple(rows)


def refusal(pod: JsonObject, namespace: str, settings: InjectorSettings) -> str:
    """Return why a pod that came in gets no proxy, as a sentence; empty if it gets one. The label wins over the annotation."""
    meta, spec = as_object(pod.get("metadata")), as_object(pod.get("spec"))
    labels, annotations = as_texts(meta.get("labels")), as_texts(meta.get("annotations"))
    if spec.get("hostNetwork") is True:
        return "it uses the network of its node, whose traffic is not its own"
    if namespace in IGNORED_NAMESPACES:
        return f"namespace {namespace} belongs to the cluster itself"
    said = labels.get(INJECT_KEY, annotations.get(INJECT_KEY, ""))
    match said:
        case "false":
            return f'it says {INJECT_KEY}: "false"'
        case "true":
            return ""
    if any(selector.matches(labels) for selector in settings.never_inject):
        return "its labels are among those that are never injected"
    if settings.policy_enabled or any(selector.matches(labels) for selector in settings.always_inject):
        return ""
    return f'the installation injects what asks for it, and it does not say {INJECT_KEY}: "true"'

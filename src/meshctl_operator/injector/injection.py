"""A pod template in, the template with its proxy out; and back again. Doing it twice is doing it once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from meshctl_operator.base.diagnostics import Compiled, Diagnostic, has_errors
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.options import PROMETHEUS_PORT
from meshctl_operator.injector import codes
from meshctl_operator.injector.annotations import OVERRIDES_KEY, REVISION_KEY, STATUS_KEY, PodOptions, read_options
from meshctl_operator.injector.containers import INIT_NAME, PROBERS_VARIABLE, PROXY_NAME, PodFacts, init_container, proxy_container
from meshctl_operator.injector.json_values import Json, JsonObject, as_object, as_objects, as_text, as_texts, copied
from meshctl_operator.injector.overrides import lay_over
from meshctl_operator.injector.probes import RewrittenProbes, restore_probes, rewrite_probes
from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.interception.options import PROXY_ID
from meshctl_operator.model.proxies import InterceptionMode

_WORKLOAD_LABEL: Final = "service.istio.io/workload-name"
_OURS: Final = frozenset({PROXY_NAME, INIT_NAME})


def inject(pod: JsonObject, settings: InjectorSettings, *, subject: ObjectKey, workload: str = "", owner: str = "") -> Compiled[JsonObject]:
    """Return the pod (``metadata`` and ``spec`` of a Pod or of a template) with its proxy.

    A pod that has one already gets it anew, by the settings and annotations of now. A pod with an annotation that cannot be used is
    returned as it came, with errors: it must not run otherwise than its author meant.

    Args:
        pod: the pod or template; it stays as it is.
        settings: those of the installation.
        subject: what findings speak of.
        workload: the name of what the pod belongs to.
        owner: the address of that, as Istio writes it (``kubernetes://apis/apps/v1/namespaces/NS/deployments/NAME``).
    """
    original, wanted = _taken_out(pod)
    meta, spec = as_object(original.get("metadata")), as_object(original.get("spec"))
    options, findings = read_options(as_texts(meta.get("annotations")), settings, subject)
    if has_errors(findings):
        return Compiled(pod, findings)
    if options.is_gateway and not any(container.get("name") == PROXY_NAME for container in wanted):
        wanted = []
    containers, init = as_objects(spec.get("containers")), as_objects(spec.get("initContainers"))
    rewritten = _rewritten(containers, init, options)
    findings += _kept_out(rewritten, subject)
    facts = _facts(meta, containers, workload, owner)
    proxy = proxy_container(options, settings, facts, rewritten.probes, rewritten.originals)
    overrides = {as_text(container.get("name")): container for container in wanted}
    if PROXY_NAME in overrides:
        proxy = lay_over(proxy, overrides[PROXY_NAME])
    user = as_object(proxy.get("securityContext")).get("runAsUser")
    added_init: list[JsonObject] = []
    if not (options.is_gateway or options.interception is InterceptionMode.NONE or settings.cni):
        uid = str(user) if user else PROXY_ID  # root owns more than Envoy: there the group alone tells them apart
        started = init_container(options, settings, rewritten.kept_out, uid)
        added_init = [lay_over(started, overrides.get(INIT_NAME, {}))]
    applications, initial = list(rewritten.containers[: len(containers)]), list(rewritten.containers[len(containers) :])
    native = options.native_sidecar and not options.is_gateway
    spec["initContainers"] = [*added_init, proxy, *initial] if native else [*initial, *added_init]
    if not spec["initContainers"]:
        del spec["initContainers"]
    spec["containers"] = [*applications] if native else [*applications, proxy]
    if options.config.hold_application if options.config.hold_application is not None else settings.hold_application:
        findings += _held(spec, proxy, subject, native=native)
    volumes, secrets = _add_volumes(spec, options), _add_secrets(spec, settings)
    if options.interception is InterceptionMode.TPROXY and as_object(spec.get("securityContext")).get("runAsNonRoot"):
        message = "with TPROXY, Envoy runs as root, which the pod's runAsNonRoot forbids"
        findings += (codes.UNSUPPORTED_ANNOTATION.error(subject, "spec.securityContext.runAsNonRoot", message, hint="use REDIRECT"),)
        return Compiled(pod, findings)
    status: JsonObject = {
        "revision": settings.revision,
        "initContainers": [each["name"] for each in (*added_init, *([proxy] if native else []))],
        "containers": [] if native else [PROXY_NAME],
        "volumes": [*volumes],
        "imagePullSecrets": [*secrets],
    }
    labels, annotations = _marks(meta, options, settings, facts, applications)
    status["labels"], status["annotations"] = [*labels], [*annotations]
    annotations[STATUS_KEY] = _compact(status)
    if overrides:
        annotations[OVERRIDES_KEY] = _compact([overrides[name] for name in sorted(overrides)])
    meta["labels"] = {**as_object(meta.get("labels")), **labels}
    meta["annotations"] = {**as_object(meta.get("annotations")), **annotations}
    return Compiled({**original, "metadata": meta, "spec": spec}, findings)


def uninject(pod: JsonObject) -> JsonObject:
    """Return the pod as it was before it got its proxy; one that has none is returned as it is."""
    if not is_injected(pod):
        return pod
    original, overrides = _taken_out(pod)
    spec = as_object(original["spec"])
    for container in overrides:
        where = "initContainers" if container.get("name") == INIT_NAME else "containers"
        spec[where] = [*as_objects(spec.get(where)), container]
    return original


def is_injected(pod: JsonObject) -> bool:
    """Tell whether a pod has its proxy."""
    return STATUS_KEY in as_texts(as_object(pod.get("metadata")).get("annotations"))


def _taken_out(pod: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    """Return the pod without what an earlier injection gave it, and the containers of injected names that its author wrote."""
    original = copied(pod)
    meta, spec = as_object(original.setdefault("metadata", {})), as_object(original.setdefault("spec", {}))
    annotations = as_texts(meta.get("annotations"))
    if STATUS_KEY not in annotations:
        wanted = [container for container in _all(spec) if container.get("name") in _OURS]
        _drop(spec, _OURS)
        return original, wanted
    status = _parsed_object(annotations[STATUS_KEY])
    proxy = next((container for container in _all(spec) if container.get("name") == PROXY_NAME), {})
    probers = next((as_text(entry.get("value")) for entry in as_objects(proxy.get("env")) if entry.get("name") == PROBERS_VARIABLE), "")
    originals = _parsed_object(probers.replace("$$", "$"))
    _drop(spec, {name for kind in ("initContainers", "containers") for name in _names(status, kind)})
    for kind in ("initContainers", "containers"):
        if kind in spec:
            spec[kind] = [*restore_probes(as_objects(spec[kind]), originals)]
    for kind in ("volumes", "imagePullSecrets"):
        gone = set(_names(status, kind))
        kept: list[Json] = [each for each in as_objects(spec.get(kind)) if each.get("name") not in gone]
        if gone and kept:
            spec[kind] = kept
        elif gone:
            spec.pop(kind, None)
    wanted = as_objects(_parsed(annotations.get(OVERRIDES_KEY, "")))
    for kind, marks in (("labels", _names(status, "labels")), ("annotations", [*_names(status, "annotations"), STATUS_KEY, OVERRIDES_KEY])):
        left: JsonObject = {key: value for key, value in as_object(meta.get(kind)).items() if key not in marks}
        if left:
            meta[kind] = left
        else:
            meta.pop(kind, None)
    return original, wanted


def _all(spec: JsonObject) -> list[JsonObject]:
    return [*as_objects(spec.get("initContainers")), *as_objects(spec.get("containers"))]


def _drop(spec: JsonObject, names: frozenset[str] | set[str]) -> None:
    """Take containers out of a pod; a list of init containers that was theirs alone goes too."""
    for kind in ("initContainers", "containers"):
        if kind in spec:
            spec[kind] = [container for container in as_objects(spec[kind]) if container.get("name") not in names]
    if spec.get("initContainers") == []:
        del spec["initContainers"]


def _rewritten(containers: list[JsonObject], init: list[JsonObject], options: PodOptions) -> RewrittenProbes:
    """Return all containers with their probes rewritten, if they are to be."""
    intercepted = not options.is_gateway and options.interception is not InterceptionMode.NONE
    if not (options.rewrite_probes and options.probes_port and intercepted):
        return RewrittenProbes((*copied(containers), *copied(init)), (), {}, ())
    return rewrite_probes([*containers, *init], options.probes_port, skip=PROXY_NAME)


def _kept_out(rewritten: RewrittenProbes, subject: ObjectKey) -> tuple[Diagnostic, ...]:
    return tuple(
        codes.PORT_KEPT_OUT.info(subject, "spec.containers", f"traffic to port {port} bypasses the sidecar: it is probed by TCP or gRPC")
        for port in rewritten.kept_out
    )


def _held(spec: JsonObject, proxy: JsonObject, subject: ObjectKey, *, native: bool) -> tuple[Diagnostic, ...]:
    """Start the proxy first. Only a native sidecar is waited for: that is what they are there for."""
    if native:
        return ()
    spec["containers"] = [proxy, *(each for each in as_objects(spec["containers"]) if each is not proxy)]
    message = "the proxy is started first, but applications do not wait until it is ready"
    return (
        codes.NO_EFFECT.warning(subject, "holdApplicationUntilProxyStarts", message, hint='set sidecar.istio.io/nativeSidecar: "true"'),
    )


def _add_volumes(spec: JsonObject, options: PodOptions) -> list[str]:
    """Add the volumes that annotations ask for; returns the names of those that were not there."""
    known = [each.get("name") for each in as_objects(spec.get("volumes"))]
    added = [volume for volume in options.volumes if volume["name"] not in known]
    if added:
        spec["volumes"] = [*as_objects(spec.get("volumes")), *added]
    return [as_text(volume["name"]) for volume in added]


def _add_secrets(spec: JsonObject, settings: InjectorSettings) -> list[str]:
    known = [each.get("name") for each in as_objects(spec.get("imagePullSecrets"))]
    added = [name for name in settings.image_pull_secrets if name not in known]
    if added:
        spec["imagePullSecrets"] = [*as_objects(spec.get("imagePullSecrets")), *[as_object({"name": name}) for name in added]]
    return added


def _facts(meta: JsonObject, containers: list[JsonObject], workload: str, owner: str) -> PodFacts:
    ports: list[JsonObject] = [
        {key: port[key] for key in ("name", "containerPort", "protocol") if key in port}
        for container in containers
        for port in as_objects(container.get("ports"))
    ]
    names = tuple(as_text(container.get("name")) for container in containers)
    labels = as_texts(meta.get("labels"))
    return PodFacts(labels, labels.get(_WORKLOAD_LABEL) or workload, owner, tuple(ports), names)


def _marks(
    meta: JsonObject, options: PodOptions, settings: InjectorSettings, facts: PodFacts, applications: list[JsonObject]
) -> tuple[JsonObject, JsonObject]:
    """Return the labels and annotations that the pod gets; what it has of its own stays."""
    labels, annotations = as_texts(meta.get("labels")), as_texts(meta.get("annotations"))
    name = labels.get("app.kubernetes.io/name") or labels.get("app") or facts.workload
    given: dict[str, str] = {
        "service.istio.io/canonical-name": name,
        "service.istio.io/canonical-revision": labels.get("app.kubernetes.io/version") or labels.get("version") or "latest",
        "topology.istio.io/network": settings.network,
        "security.istio.io/tlsMode": "istio" if settings.mtls else "",
    }
    first = next((as_text(container.get("name")) for container in applications), PROXY_NAME)
    told = {
        REVISION_KEY: settings.revision,
        "kubectl.kubernetes.io/default-container": first,
        "kubectl.kubernetes.io/default-logs-container": first,
    }
    scraped = annotations.get("prometheus.io/scrape") != "false" and not any(
        key in annotations for key in ("prometheus.io/port", "prometheus.io/path")
    )
    if options.merge_prometheus and scraped:
        told |= {"prometheus.io/scrape": "true", "prometheus.io/port": str(PROMETHEUS_PORT), "prometheus.io/path": "/stats/prometheus"}
    new_labels: JsonObject = {key: value for key, value in given.items() if value and key not in labels}
    return new_labels, {key: value for key, value in told.items() if key not in annotations}


def _names(status: JsonObject, kind: str) -> list[str]:
    value = status.get(kind)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _parsed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return None
    return value


def _parsed_object(text: str) -> JsonObject:
    return as_object(_parsed(text))


def _compact(value: Mapping[str, Json] | list[JsonObject]) -> str:
    return json.dumps(value, separators=(",", ":"))

"""``meshctl serve``: the control plane as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import click

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.cli.output import ExitCode, Format, finding_line

if TYPE_CHECKING:
    from meshctl_operator.controlplane.events import Event, Subscription
    from meshctl_operator.controlplane.plane import ControlPlane
    from meshctl_operator.controlplane.settings import Settings
    from meshctl_operator.controlplane.source import Source
    from meshctl_operator.kube.admission.operation import AdmissionSettings
    from meshctl_operator.kube.admission.webhook import Webhook
    from meshctl_operator.kube.settings import KubeSettings
    from meshctl_operator.kube.source import KubernetesSource
    from meshctl_operator.kube.status.service import StatusService

_TURN: Final = 0.005  # seconds in which the loop hears of a signal that came during the imports


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What ``serve`` was called with."""

    config_dirs: tuple[str, ...]
    namespace: str
    xds: str
    http: str
    mesh_config: str | None
    output: Format
    acks: bool
    recompute: bool
    pilot_metrics: bool = False
    remote_debug: bool = False
    cluster: KubeSettings | None = None
    admission: AdmissionSettings | None = None


@click.command()
@click.option("--config-dir", "config_dirs", multiple=True, metavar="DIR", help="Directory of config objects, watched (repeatable).")
@click.option("--kubernetes", is_flag=True, help="Read config objects from a Kubernetes API server: KUBECONFIG, or the pod's own.")
@click.option("--context", metavar="NAME", help="Context of KUBECONFIG, with --kubernetes.")
@click.option(
    "--revision", metavar="NAME", help="Our istio.io/rev, with --kubernetes [default: default]; objects of others are left alone."
)
@click.option("--default-revision", is_flag=True, help="With --revision: objects that name no revision are ours too.")
@click.option(
    "--webhook", metavar="HOST:PORT", help="Where API servers ask whether objects are valid, with --kubernetes [default: nowhere]."
)
@click.option("--webhook-service", metavar="NAME", help="With --webhook: the Service in front of it, in our namespace [default: meshctl].")
@click.option(
    "--webhook-configuration",
    metavar="NAME",
    help="With --webhook: the ValidatingWebhookConfiguration whose caBundle is kept current [default: meshctl-validation].",
)
@click.option("-n", "--namespace", default="default", show_default=True, metavar="NAME", help="Namespace of objects that name none.")
@click.option("--xds", default="127.0.0.1:15010", show_default=True, metavar="HOST:PORT", help="Where proxies connect; port 0 picks one.")
@click.option("--http", default="127.0.0.1:15014", show_default=True, metavar="HOST:PORT", help="Health, metrics and debug pages.")
@click.option(
    "--remote-debug", is_flag=True, help="Show /debug to other machines too. It tells the whole configuration and asks for no login."
)
@click.option("--pilot-metrics", is_flag=True, help="Add istiod's names to /metrics where they mean the same, for its dashboards.")
@click.option("--mesh-config", metavar="FILE", help="Istio MeshConfig fields (YAML), watched.")
@click.option("--recompute", is_flag=True, help="Compile everything anew for each change: for those who suspect incremental compilation.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="json prints lines.")
@click.option("--events", "events", multiple=True, type=click.Choice(["acks"]), help="Print what proxies accept and reject as well.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="warning", show_default=True)
@click.pass_context
def serve(
    ctx: click.Context,
    *,
    config_dirs: tuple[str, ...],
    kubernetes: bool,
    context: str | None,
    revision: str | None,
    default_revision: bool,
    webhook: str | None,
    webhook_service: str | None,
    webhook_configuration: str | None,
    namespace: str,
    xds: str,
    http: str,
    remote_debug: bool,
    pilot_metrics: bool,
    mesh_config: str | None,
    recompute: bool,
    output: str,
    events: tuple[str, ...],
    log_level: str,
) -> None:
    """Run the control plane: watch config objects, serve xDS to proxies.

    A half-written or broken file never empties the mesh: its objects stay as they were until it is mended.
    """
    if not kubernetes and (context is not None or revision is not None or default_revision):
        raise SettingsError("--context, --revision and --default-revision are for --kubernetes", hint="add --kubernetes")
    if not kubernetes and webhook is not None:
        raise SettingsError("--webhook is for --kubernetes", hint="add --kubernetes")
    if webhook is None and (webhook_service is not None or webhook_configuration is not None):
        raise SettingsError("--webhook-service and --webhook-configuration are for --webhook", hint="add --webhook 0.0.0.0:15017")
    if kubernetes and config_dirs:
        raise SettingsError("--kubernetes and --config-dir exclude each other", hint="give one of them")
    if not kubernetes and not config_dirs:
        raise click.UsageError("there is nothing to serve: give --config-dir DIR or --kubernetes", ctx)
    for option, address in (("--xds", xds), ("--http", http), *((("--webhook", webhook),) if webhook else ())):
        check_address(option, address)
    from meshctl_operator.cli.logs import configure_logging
    from meshctl_operator.sources.files import check_paths

    check_paths((*config_dirs, *((mesh_config,) if mesh_config else ())))
    configure_logging(log_level)
    options = ServeOptions(
        config_dirs,
        namespace,
        xds,
        http,
        mesh_config,
        Format(output),
        "acks" in events,
        recompute,
        pilot_metrics,
        remote_debug,
        cluster=_cluster(context, revision, mesh_config, default_revision=default_revision) if kubernetes else None,
        admission=_admission(webhook, webhook_service, webhook_configuration) if webhook else None,
    )
    ctx.exit(asyncio.run(_run(options)))


def check_address(option: str, address: str) -> None:
    """Raise SettingsError unless the address is ``host:port``."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004  (the largest port)
        raise SettingsError(f'{option} is "{address}", which is not HOST:PORT', hint="for example 127.0.0.1:15010; port 0 picks a free one")


@contextmanager
def stop_signals(stop: asyncio.Future[int]) -> Iterator[None]:
    """Let SIGTERM end the future with 0, and SIGINT (Ctrl-C) with 130, for the length of a ``with`` block."""
    loop = asyncio.get_running_loop()

    def end(code: int) -> None:
        if not stop.done():
            stop.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, end, ExitCode.OK)
    loop.add_signal_handler(signal.SIGINT, end, ExitCode.INTERRUPTED)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)


async def _run(options: ServeOptions) -> int:
    """Serve until a signal comes; returns the exit code."""
    stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    with stop_signals(stop):  # from the start: a signal that comes during the imports must not cancel a server half-way
        return await _serve(options, stop)


async def _serve(options: ServeOptions, stop: asyncio.Future[int]) -> int:
    """Serve until the future is done; returns its result."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what the C core prints on its own (a taken port) is said by our errors
    from meshctl_operator.admin.server import AdminServer
    from meshctl_operator.controlplane.events import EVENTS, Acked, Listening
    from meshctl_operator.controlplane.plane import ControlPlane
    from meshctl_operator.controlplane.settings import settings_from

    done, _ = await asyncio.wait([stop], timeout=_TURN)
    if done:
        return stop.result()
    settings, warnings = settings_from(os.environ, mode="recompute" if options.recompute else "incremental")
    settings = replace(settings, pilot_metrics=options.pilot_metrics, own_process=True)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    cluster = _kubernetes_source(options, settings)
    plane = ControlPlane(settings, _sources(options, settings, cluster))
    if cluster is not None:
        cluster.measured_by(plane.telemetry)
    status = _status(options, plane, cluster)
    admin = AdminServer(plane, remote_debug=options.remote_debug)
    webhook = _webhook(options, settings)
    with plane.events.subscribe(*(kind for kind in EVENTS if options.acks or kind is not Acked)) as events:
        async with plane:
            try:
                listening = Listening(await plane.serve(options.xds), await admin.start(options.http), webhook.address if webhook else None)
                _print(listening, options)
                async with _beside(plane, webhook), asyncio.TaskGroup() as tasks:
                    tasks.create_task(_print_events(events, options))  # after the line above, whatever happened meanwhile
                    running = [tasks.create_task(each.run()) for each in status]
                    code = await stop
                    for each in running:
                        each.cancel()
                    await plane.stop()
                    plane.events.end()
            finally:
                await admin.stop()
    return code


def _status(options: ServeOptions, plane: ControlPlane, cluster: KubernetesSource | None) -> tuple[StatusService, ...]:
    """Return what keeps the status of the objects of an API server."""
    if options.cluster is None or cluster is None:
        return ()
    from meshctl_operator.kube.status.service import StatusService
    from meshctl_operator.kube.status.settings import status_settings

    return (StatusService(plane, cluster, options.cluster, status_settings(os.environ, options.cluster)),)


def _cluster(context: str | None, revision: str | None, mesh_config: str | None, *, default_revision: bool) -> KubeSettings:
    """Return which API server is read, and what of it. A MeshConfig that is given as a file replaces that of the cluster."""
    from meshctl_operator.kube.settings import DEFAULT_REVISION, KubeSettings

    return KubeSettings(
        context=context,
        revision=revision or DEFAULT_REVISION,
        default_revision=True if default_revision else None,
        system_namespace=os.environ.get("POD_NAMESPACE", KubeSettings().system_namespace),
        mesh_config_map=None if mesh_config else KubeSettings().mesh_config_map,
    )


def _kubernetes_source(options: ServeOptions, settings: Settings) -> KubernetesSource | None:
    """Return the API server as a source, if that is asked for. Raises SettingsError where none can be found out."""
    if options.cluster is None:
        return None
    from meshctl_operator.kube.connection import Connection
    from meshctl_operator.kube.source import KubernetesSource

    Connection.load(options.cluster)  # said before anything starts
    return KubernetesSource(options.cluster, settings.mesh_settings)


def _admission(webhook: str, service: str | None, configuration: str | None) -> AdmissionSettings:
    """Return how the webhook is started."""
    from meshctl_operator.kube.admission.operation import AdmissionSettings

    host, _, port = webhook.rpartition(":")
    given = AdmissionSettings(host.strip("[]"), int(port))
    given = replace(given, configuration=configuration or given.configuration)
    return given if service is None else replace(given, service=service, secret=f"{service}-webhook")


def _webhook(options: ServeOptions, settings: Settings) -> Webhook | None:
    """Return the webhook, if it is asked for. Raises MeshctlError if its port is taken."""
    if options.cluster is None or options.admission is None:
        return None
    from meshctl_operator.kube.admission.operation import webhook_of

    return webhook_of(options.cluster, options.admission, domain=settings.domain)


def _beside(plane: ControlPlane, webhook: Webhook | None) -> AbstractAsyncContextManager[None]:
    """Return the running of the webhook, or of nothing."""
    if webhook is None:
        return nullcontext()
    from meshctl_operator.kube.admission.operation import beside

    return beside(plane, webhook)


def _sources(options: ServeOptions, settings: Settings, cluster: KubernetesSource | None) -> list[Source]:
    """Return where config objects come from."""
    from meshctl_operator.sources.directory import DirectorySource
    from meshctl_operator.sources.mesh_config import MeshConfigSource

    sources: list[Source] = [cluster or DirectorySource(options.config_dirs, default_namespace=options.namespace)]
    if options.mesh_config is not None:
        sources.append(MeshConfigSource(options.mesh_config, settings.mesh_settings))
    return sources


async def _print_events(events: Subscription, options: ServeOptions) -> None:
    """Print events until the control plane ends."""
    async for event in events:
        _print(event, options)


def _print(event: Event, options: ServeOptions) -> None:
    if options.output is Format.JSON:
        if _is_public(event, acks=options.acks):
            click.echo(json.dumps(event.to_json()))
    else:
        for line in text_lines(event, acks=options.acks):
            click.echo(line)


def _is_public(event: Event, *, acks: bool) -> bool:
    """Tell whether an event is part of the public output."""
    from meshctl_operator.controlplane.events import Acked, Connected, Disconnected, Nacked

    match event:
        case Acked() | Nacked():
            return acks
        case Connected() | Disconnected():
            return False
        case _:
            return True


def text_lines(event: Event, *, acks: bool) -> Iterator[str]:
    """Yield an event as lines for people."""
    from meshctl_operator.controlplane.events import Acked, ConfigApplied, Connected, Disconnected, Listening, Nacked, Synced

    match event:
        case Listening():
            yield f"listening: xDS {event.xds}, http {event.http}" + (f", webhook {event.webhook}" if event.webhook else "")
        case Synced():
            yield f"synced: {event.objects} objects"
            yield from map(finding_line, event.diagnostics)
        case ConfigApplied():
            count = event.healed
            changed = ", ".join(map(str, event.changed)) or "nothing changed"
            rejected = f"; rejected: {', '.join(map(str, event.rejected))}" if event.rejected else ""
            healed = f"; {count} {'finding is' if count == 1 else 'findings are'} gone" if count else ""
            yield f"revision {event.revision}: {changed}{rejected}{healed}; {event.resources} resources ({event.ms:.1f} ms)"
            yield from map(finding_line, event.diagnostics)
        case Acked():
            if acks:
                yield f"  {event.proxy} accepted {event.type} of revision {event.revision} ({event.ms:.1f} ms)"
        case Nacked():
            yield f"  {event.proxy} REJECTED {event.type} of revision {event.revision}: {event.detail}"
        case Connected():
            yield f"  {event.proxy} connected ({event.protocol})"
        case Disconnected():
            yield f"  {event.proxy} disconnected"

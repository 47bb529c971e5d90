"""``meshctl iptables``: the rules that send the traffic of a pod through its sidecar, put in place, taken away, or printed."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.cli.packet_filter import pod_families, put, resolvers, take_away
from meshctl_operator.interception.options import (
    LAST_PORT,
    PROXY_ID,
    Address,
    CaptureMode,
    Family,
    InterceptionError,
    InterceptionOptions,
    read_interfaces,
    read_owner_groups,
    read_owners,
    read_port_list,
    read_ports,
    read_range_list,
    read_ranges,
    words,
)
from meshctl_operator.interception.plan import plan_rules
from meshctl_operator.interception.restore import render
from meshctl_operator.interception.routing import setup_commands

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_PORT: Final = click.IntRange(1, LAST_PORT)
_DEFAULTS: Final = InterceptionOptions()
_OPTIONS: Final = (
    click.option("-p", "--outbound-port", type=_PORT, default=_DEFAULTS.outbound_port, help="Where Envoy takes what the pod sends."),
    click.option("-z", "--inbound-port", type=_PORT, default=_DEFAULTS.inbound_port, help="Where Envoy takes what the pod is sent."),
    click.option("-e", "--tunnel-port", type=_PORT, default=_DEFAULTS.tunnel_port, help="The port of tunnels, never intercepted."),
    click.option("-u", "--proxy-uid", default=PROXY_ID, metavar="LIST", help="Users of Envoy, whose traffic is let through."),
    click.option("-g", "--proxy-gid", metavar="LIST", help="Groups of Envoy; the same ids as the users where absent."),
    click.option(
        "-m", "--mode", type=click.Choice([mode.value for mode in CaptureMode]), default="REDIRECT", help="How inbound traffic is taken."
    ),
    click.option("-b", "--include-inbound-ports", default="*", metavar="LIST", help="Inbound ports that are taken; * for all."),
    click.option("-d", "--exclude-inbound-ports", default="", metavar="LIST", help="Inbound ports that are not, where all others are."),
    click.option("-i", "--include-outbound-ranges", default="*", metavar="LIST", help="Destinations (CIDR) that are taken; * for all."),
    click.option("-x", "--exclude-outbound-ranges", default="", metavar="LIST", help="Destinations (CIDR) that are not."),
    click.option(
        "-q", "--include-outbound-ports", default="", metavar="LIST", help="Outbound ports that are taken whatever the destination."
    ),
    click.option("-o", "--exclude-outbound-ports", default="", metavar="LIST", help="Outbound ports that are not taken."),
    click.option(
        "-k", "--reroute-virtual-interfaces", default="", metavar="LIST", help="Interfaces whose inbound traffic is outbound (guests)."
    ),
    click.option("-c", "--exclude-interfaces", default="", metavar="LIST", help="Interfaces that are left alone."),
    click.option(
        "--owner-groups",
        default="*",
        envvar="ISTIO_OUTBOUND_OWNER_GROUPS",
        metavar="LIST",
        help="Groups whose processes alone are intercepted.",
    ),
    click.option(
        "--exclude-owner-groups", default="", envvar="ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", metavar="LIST", help="Groups whose are not."
    ),
    click.option("--redirect-dns", is_flag=True, help="Take DNS queries too, to a resolver on port 15053 of the pod."),
    click.option("--capture-all-dns", is_flag=True, help="With --redirect-dns: whatever server they are for."),
    click.option("--dns-servers", metavar="LIST", help="Servers whose queries are taken; those of /etc/resolv.conf where absent."),
    click.option("--drop-invalid", is_flag=True, help="Drop packets that belong to no connection."),
    click.option(
        "--tproxy-mark", type=click.IntRange(1, 2**31 - 2), default=_DEFAULTS.tproxy_mark, help="Mark of packets for Envoy, with TPROXY."
    ),
    click.option("--tproxy-route-table", type=click.IntRange(1, 252), default=_DEFAULTS.tproxy_table, help="Routing table for them."),
    click.option("--dual-stack", is_flag=True, help="The pod has addresses of both families; IPv6 alone is noticed."),
)


@click.group()
def iptables() -> None:
    """Send the traffic of a pod through its sidecar, by rules of iptables in its network namespace."""


def _interception_options(command: F) -> F:
    """Add the options that say what is intercepted. The short ones are those of Istio's init container."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@iptables.command()
@_interception_options
def apply(**given: Any) -> None:  # noqa: ANN401  (what click passes; _read gives each its type)
    r"""Put the rules in place, in the stead of those of an earlier call. Needs root (NET_ADMIN).

    \b
      meshctl iptables apply -d 15021,15090

    Each table is replaced in one transaction. Foreign rules stay as they are.
    """
    options = _read(given)
    _notes(options)
    for family, count in put(options, tuple(Family) if given["dual_stack"] else pod_families()).items():
        click.echo(f"{family}: {count} rules", err=True)


@iptables.command()
@_interception_options
def clean(**given: Any) -> None:  # noqa: ANN401  (as above)
    """Take all rules and chains away, whatever options they were made with but mark and table of TPROXY. Needs root (NET_ADMIN)."""
    found = take_away(_read(given))
    click.echo("the rules are gone" if found else "there were no rules", err=True)


@iptables.command("print")
@_interception_options
def print_(**given: Any) -> None:  # noqa: ANN401  (as above)
    """Print the rules of both families as the input of iptables-restore and ip6tables-restore, and the routes that they need."""
    options = _read(given)
    _notes(options)
    for family in Family:
        click.echo(f"# {family}")
        click.echo(render(plan_rules(options, family)), nl=False)
        for command in setup_commands(options, family):
            click.echo(f"# ip {' '.join(command)}")


def _notes(options: InterceptionOptions) -> None:
    for note in options.notes:
        click.echo(f"warning: {note}", err=True)


def _read(given: dict[str, Any]) -> InterceptionOptions:
    """Return the options that the command line gives. Raises SettingsError that names the option."""

    def read(name: str, reader: Callable[[str], T]) -> T:
        try:
            return reader(given[name])
        except InterceptionError as error:
            raise SettingsError(f"--{name.replace('_', '-')}: {error}") from None

    try:
        groups = read_owner_groups(given["owner_groups"], given["exclude_owner_groups"])
    except InterceptionError as error:
        raise SettingsError(f"--owner-groups, --exclude-owner-groups: {error}") from None
    servers = resolvers() if given["dns_servers"] is None and given["redirect_dns"] else ()
    return InterceptionOptions(
        mode=CaptureMode(given["mode"]),
        outbound_port=given["outbound_port"],
        inbound_port=given["inbound_port"],
        tunnel_port=given["tunnel_port"],
        proxy_uids=read("proxy_uid", read_owners),
        proxy_gids=None if given["proxy_gid"] is None else read("proxy_gid", read_owners),
        include_inbound_ports=read("include_inbound_ports", read_port_list),
        exclude_inbound_ports=read("exclude_inbound_ports", read_ports),
        include_outbound_ranges=read("include_outbound_ranges", read_range_list),
        exclude_outbound_ranges=read("exclude_outbound_ranges", read_ranges),
        include_outbound_ports=read("include_outbound_ports", read_ports),
        exclude_outbound_ports=read("exclude_outbound_ports", read_ports),
        virtual_interfaces=read("reroute_virtual_interfaces", read_interfaces),
        exclude_interfaces=read("exclude_interfaces", read_interfaces),
        owner_groups=groups,
        redirect_dns=given["redirect_dns"],
        capture_all_dns=given["capture_all_dns"],
        dns_servers=servers if given["dns_servers"] is None else read("dns_servers", _read_servers),
        drop_invalid=given["drop_invalid"],
        tproxy_mark=given["tproxy_mark"],
        tproxy_table=given["tproxy_route_table"],
    )


def _read_servers(text: str) -> tuple[Address, ...]:
    found: list[Address] = []
    for word in words(text):
        try:
            found.append(ipaddress.ip_address(word))
        except ValueError:
            raise InterceptionError(f'"{word}" is not an IP address') from None
    return tuple(dict.fromkeys(found))

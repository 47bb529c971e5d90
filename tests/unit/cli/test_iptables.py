"""``meshctl iptables``: options in, rules out. That they are put in place is tested in network namespaces."""

from __future__ import annotations

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.cli import iptables as module
from meshctl_operator.cli.main import main
from meshctl_operator.interception.options import Family, InterceptionOptions
from meshctl_operator.interception.plan import plan_rules
from meshctl_operator.interception.restore import render


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return what ``print`` prints with the options."""
    assert main(["iptables", "print", *options]) == 0
    return capsys.readouterr().out


def test_both_families_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The same on every machine: the rules that the defaults give, under the name of the family."""
    rules = {family: render(plan_rules(InterceptionOptions(), family)) for family in Family}
    extra = "# ip -6 addr replace ::6/128 dev lo\n"
    assert printed(capsys) == f"# IPv4\n{rules[Family.IPV4]}# IPv6\n{rules[Family.IPV6]}{extra}"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("-p", "1"), "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 1"),
        (("-z", "1"), "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 1"),
        (("-e", "1"), "-A ISTIO_INBOUND -p tcp --dport 1 -j RETURN"),
        (("-u", "1,2"), "-A ISTIO_OUTPUT -m owner --uid-owner 2 -j RETURN"),
        (("-u", "1"), "-A ISTIO_OUTPUT -m owner --gid-owner 1 -j RETURN"),
        (("-g", "3"), "-A ISTIO_OUTPUT -m owner --gid-owner 3 -j RETURN"),
        (("-m", "TPROXY"), "# ip -4 rule add fwmark 1337 lookup 133"),
        (("-m", "TPROXY", "--tproxy-mark", "5", "--tproxy-route-table", "6"), "# ip -6 rule add fwmark 5 lookup 6"),
        (("-b", "80"), "-A ISTIO_INBOUND -p tcp --dport 80 -j ISTIO_IN_REDIRECT"),
        (("-d", "80"), "-A ISTIO_INBOUND -p tcp --dport 80 -j RETURN"),
        (("-i", "10.0.0.0/8"), "-A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT"),
        (("-x", "10.0.0.0/8"), "-A ISTIO_OUTPUT -d 10.0.0.0/8 -j RETURN"),
        (("-q", "80"), "-A ISTIO_OUTPUT -p tcp --dport 80 -j ISTIO_REDIRECT"),
        (("-o", "80"), "-A ISTIO_OUTPUT -p udp --dport 80 -j RETURN"),
        (("-k", "net1"), "-I PREROUTING 1 -i net1 -j ISTIO_REDIRECT"),
        (("-c", "eth1"), "-A OUTPUT -o eth1 -j RETURN"),
        (("--owner-groups", "7"), "-A ISTIO_OUTPUT -m owner ! --gid-owner 7 -j RETURN"),
        (("--exclude-owner-groups", "7"), "-A ISTIO_OUTPUT -m owner --gid-owner 7 -j RETURN"),
        (("--redirect-dns", "--dns-servers", "10.96.0.10"), "-A ISTIO_INBOUND -p udp --sport 53 -s 10.96.0.10/32 -j CT --zone 1"),
        (("--redirect-dns", "--capture-all-dns"), "-A ISTIO_INBOUND -p udp --sport 53 -j CT --zone 1"),
        (("--drop-invalid",), "-A ISTIO_DROP -j DROP"),
    ],
    ids=" ".join,
)
def test_every_option_reaches_the_rules(options: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Short ones are those of Istio's init container."""
    assert line not in printed(capsys).splitlines()
    assert line in printed(capsys, *options).splitlines()


def test_groups_by_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Istio's variables say whose traffic is intercepted."""
    monkeypatch.setenv("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "java")
    assert "-A ISTIO_OUTPUT -m owner --gid-owner java -j RETURN" in printed(capsys)


def test_servers_of_the_resolver(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without servers, queries are captured nowhere, and a warning says so."""
    monkeypatch.setattr(module, "resolvers", tuple)
    assert main(["iptables", "print", "--redirect-dns"]) == 0
    shown = capsys.readouterr()
    assert "15053" not in shown.out
    assert "warning: DNS is not captured" in shown.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-d", "http"), '--exclude-inbound-ports: "http" is not a port'),
        (("-x", "*"), '--exclude-outbound-ranges: "*" is not an address range'),
        (("-c", "a b"), "--exclude-interfaces: "),
        (("-u", "-j"), "--proxy-uid: "),
        (("--owner-groups", "a", "--exclude-owner-groups", "b"), "--owner-groups, --exclude-owner-groups: groups are either"),
        (("--redirect-dns", "--dns-servers", "dns"), '--dns-servers: "dns" is not an IP address'),
        (("-p", "0"), "Invalid value for '-p'"),
        (("-m", "NONE"), "Invalid value for '-m'"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("verb", ["apply", "clean", "print"])
def test_mistakes_are_bad_usage(verb: str, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is done, and the message names the option and the value."""
    assert main(["iptables", verb, *options]) == 64
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(("families", "options"), [((Family.IPV4,), ()), (tuple(Family), ("--dual-stack",))], ids=["alone", "dual"])
def test_apply_chooses_families(
    families: tuple[Family, ...], options: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the pod has, or both where somebody says so; what was done is told on standard error."""
    asked = []

    def put(given: InterceptionOptions, chosen: tuple[Family, ...]) -> dict[Family, int]:
        asked.append((given, chosen))
        return dict.fromkeys(chosen, 15)

    monkeypatch.setattr(module, "put", put)
    monkeypatch.setattr(module, "pod_families", lambda: (Family.IPV4,))
    assert main(["iptables", "apply", *options]) == 0
    assert asked == [(InterceptionOptions(), families)]
    assert capsys.readouterr().err == "".join(f"{family}: 15 rules\n" for family in families)


@pytest.mark.parametrize(("found", "message"), [(True, "the rules are gone\n"), (False, "there were no rules\n")])
def test_clean(*, found: bool, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no mistake if there is nothing."""
    monkeypatch.setattr(module, "take_away", lambda _: found)
    assert main(["iptables", "clean"]) == 0
    assert capsys.readouterr().err == message


def test_without_privileges(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason and the way out."""

    def put(*_: object) -> dict[Family, int]:
        raise MeshctlError("may not", hint="be root")

    monkeypatch.setattr(module, "put", put)
    assert main(["iptables", "apply"]) == 1
    assert capsys.readouterr().err == "error: may not\n  hint: be root\n"

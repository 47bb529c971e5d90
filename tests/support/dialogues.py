"""Dialogues of a client and an xDS server, written down word for word: what is said, what must be answered, and nothing else.

A dialogue is a text of lines, one step each:

| line | step |
|---|---|
| ``= CDS a b=2, EDS a`` | the server holds exactly this from now on; ``b=2`` is another content than ``b`` |
| ``= CDS a@e`` | a cluster whose endpoints have the name ``e``; else they have that of the cluster |
| ``> EDS a b`` | a request: the names that are wanted (SotW), or wanted as well (Delta) |
| ``> EDS -a`` | Delta: ``a`` is not wanted any more |
| ``> CDS has:a has:b=2`` | Delta: what the client holds (``initial_resource_versions``); ``has:b=?`` is a version that nobody knows |
| ``> CDS ack`` | the answer to the last response of the type; ``ack#1`` to the first one, ``nonce:x`` to no response |
| ``> CDS nack`` | the same with an error in the words of Envoy: what was ``=bad`` in it is not applied, the rest is |
| ``> EDS nothing`` | SotW: an empty list; without names and without this word the list is that of the request before |
| ``> CDS version:1`` | SotW: the version that the client says it has |
| ``> CDS anonymous`` | a request without a node |
| ``>> EDS a`` | a request that the server reads together with the next one, before it may write |
| ``< CDS a b=2 -c`` | the next response: what is in it, in this order, and what is removed |
| ``~`` | the stream breaks, and the client opens another one |
| ``x INVALID_ARGUMENT`` | the server has ended the stream |

After every step all responses that the server has must be those in the following lines. Beside that each response must have the form that
the protocol demands: a nonce that is new on the stream, and versions. SotW requests carry the nonce of the last response, as those of Envoy.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Protocol

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.rpc import status_pb2

from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from tests.support.xds_rig import mark_of, sample, sample_message

NODE = base_pb2.Node(id="test-id")
_TYPES = {type_url.short: type_url for type_url in TypeUrl}
_TYPE = re.compile(r"\bT\b")
_ONLY_FULL = re.compile(r"\{([^}]*)\}")


@dataclass(frozen=True)
class Check:
    """A rule of the protocol, the types that it holds for, and the dialogue that shows it, with ``T`` in the place of the type."""

    rule: str
    types: tuple[str, ...]
    dialogue: str


def cases(*checks: Check, full: Collection[str] = (), sayable: bool = False) -> list[Any]:
    """Return the dialogue of each check for each of its types, as arguments of a test that is named after the rule.

    Args:
        checks: in the order of the tests.
        full: the types whose responses list everything; what stands in braces is said only by these.
        sayable: leave out what cannot be said over a socket: what is read together, and what has to do with secrets, by which the server
            is found to have nothing more to say.
    """
    found = []
    for check in checks:
        for kind in check.types:
            dialogue = _ONLY_FULL.sub(r"\1" if kind in full else "", _TYPE.sub(kind, check.dialogue))
            if not (sayable and (">>" in dialogue or "SDS" in dialogue)):
                found.append(pytest.param(dialogue, id=f"{kind}: {check.rule}" if kind else check.rule))
    return found


class Server(Protocol):
    """The side of the server, as a dialogue needs it."""

    async def serve(self, resources: list[XdsResource]) -> None:
        """Hold exactly these resources."""
        ...

    async def request(self, message: Any, *, read: bool) -> None:
        """Take a request; ``read`` says that the server may write now."""
        ...

    async def responses(self) -> list[bytes]:
        """Return all that the server has to say now."""
        ...

    async def break_off(self) -> None:
        """Lose the stream, and open another one with the next request."""
        ...

    async def ended(self) -> str:
        """Return the status with which the server ended the stream."""
        ...


def parsed(protocol: XdsProtocol, body: bytes) -> Any:
    """Return the response that a body is."""
    return (discovery_pb2.DeltaDiscoveryResponse if protocol == "delta" else discovery_pb2.DiscoveryResponse).FromString(body)


@dataclass
class _Stream:
    """What a client knows of its stream, by type: the nonces it was given, the names it asked for last, what was bad in the last response."""

    nonces: dict[TypeUrl, list[str]] = field(default_factory=dict)
    names: dict[TypeUrl, list[str]] = field(default_factory=dict)
    bad: dict[TypeUrl, list[str]] = field(default_factory=dict)
    begun: bool = False


class Client:
    """Says the requests of a dialogue, and reads responses back into its words."""

    def __init__(self, protocol: XdsProtocol) -> None:
        self._protocol: XdsProtocol = protocol
        self._stream = _Stream()

    def begin(self) -> None:
        """Forget the stream."""
        self._stream = _Stream()

    def request(self, words: list[str]) -> Any:
        """Return the message of a request."""
        type_url, rest = _TYPES[words[0]], words[1:]
        given = self._stream.nonces.setdefault(type_url, [])
        nonce = given[-1] if given and self._protocol == "sotw" else ""
        message: Any = discovery_pb2.DeltaDiscoveryRequest() if self._protocol == "delta" else discovery_pb2.DiscoveryRequest()
        anonymous = False
        names: list[str] = []
        gone: list[str] = []
        for word in rest:
            match word.partition(":"):
                case "ack" | "nack", _, _:
                    nonce = given[-1]
                case "nonce", _, text:
                    nonce = text
                case "version", _, text:
                    message.version_info = text
                case "has", _, text:
                    known = resource(type_url, text)
                    message.initial_resource_versions[known.name] = "unknown" if text.endswith("=?") else known.version
                case "nothing" | "anonymous", _, _:
                    anonymous |= word == "anonymous"
                case _ if word.startswith("ack#"):
                    nonce = given[int(word[4:]) - 1]
                case _:
                    (gone if word.startswith("-") else names).append(word.removeprefix("-"))
        if "nack" in rest:
            reasons = [f"{name}: rejected" for name in self._stream.bad.get(type_url, ())]
            message.error_detail.CopyFrom(status_pb2.Status(code=3, message=f"Error adding/updating resource(s) {', '.join(reasons)}"))
        if not self._stream.begun and not anonymous:
            message.node.CopyFrom(NODE)
            self._stream.begun = True
        message.type_url, message.response_nonce = type_url, nonce
        if self._protocol == "delta":
            message.resource_names_subscribe.extend(names)
            message.resource_names_unsubscribe.extend(gone)
        else:
            wanted = names if names or "nothing" in rest else self._stream.names.get(type_url, [])
            self._stream.names[type_url] = wanted
            message.resource_names.extend(wanted)
        return message

    def understood(self, body: bytes) -> str:
        """Return a response in the words of the dialogue, once its form is checked."""
        response = parsed(self._protocol, body)
        type_url = TypeUrl(response.type_url)
        given = self._stream.nonces.setdefault(type_url, [])
        assert response.nonce, "a response without a nonce"
        assert response.nonce not in {nonce for nonces in self._stream.nonces.values() for nonce in nonces}, "a nonce that was used before"
        given.append(response.nonce)
        words = [type_url.short]
        if self._protocol == "delta":
            whole = all(entry.version and entry.resource.type_url == type_url for entry in response.resources)
            assert whole, "an entry without version or type"
            words += [_word(entry.name, type_url, entry.resource.value) for entry in response.resources]
            words += [f"-{name}" for name in response.removed_resources]
        else:
            assert response.version_info, "a response without a version"
            words += [_word("", type_url, entry.value) for entry in response.resources]
        self._stream.bad[type_url] = [word.removesuffix("=bad") for word in words if word.endswith("=bad")]
        return " ".join(words)


def resource(type_url: TypeUrl, word: str) -> XdsResource:
    """Return what ``name=mark`` stands for."""
    word, _, eds_name = word.partition("@")
    name, _, mark = word.partition("=")
    return sample(type_url, name, mark or "1", eds_name=eds_name or name if type_url is TypeUrl.CLUSTER else "")


def _word(name: str, type_url: TypeUrl, body: bytes) -> str:
    message = type(sample_message(type_url, "", "")).FromString(body)
    mark = mark_of(message)
    found = message.cluster_name if type_url is TypeUrl.ENDPOINT else message.name
    assert name in {"", found}, "an entry with the name of another resource"
    return found if mark == "1" else f"{found}={mark}"


def _resources(text: str) -> list[XdsResource]:
    found = []
    for part in text.split(","):
        kind, *words = part.split() or [""]
        found += [resource(_TYPES[kind], word) for word in words]
    return found


async def hold(dialogue: str, protocol: XdsProtocol, server: Server) -> None:
    """Hold a dialogue with a server. Raises AssertionError where the server does not say what is written down."""
    client = Client(protocol)
    lines = [line for line in map(str.strip, dialogue.splitlines()) if line]
    said: list[str] = []
    for index, line in enumerate(lines):
        sign, _, text = line.partition(" ")
        said.append(line)
        match sign:
            case "=":
                await server.serve(_resources(text))
            case ">" | ">>":
                await server.request(client.request(text.split()), read=sign == ">")
            case "~":
                await server.break_off()
                client.begin()
            case "x":
                assert await server.ended() == text, said
            case "<":
                continue
            case _:
                raise ValueError(f"what does {line!r} mean?")
        following = lines[index + 1 :]
        if sign in {">>", "x"} or following[:1] == ["x INVALID_ARGUMENT"]:
            continue
        expected = [" ".join(entry[2:].split()) for entry in takewhile(lambda entry: entry.startswith("< "), following)]
        heard = [client.understood(body) for body in await server.responses()]
        assert heard == expected, "\n".join(("in the dialogue", *said, *(f"< {entry}" for entry in heard), "was expected", *expected))

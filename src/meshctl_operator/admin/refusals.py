"""Answers for requests that cannot be served: what is wrong and what to do, as JSON, also where the framework found it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

DEBUG: Final = "/debug/"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):  # noqa: N818  (an answer to a request, not an error of ours)
    """A request that gets an answer with a status of 4xx; ``more`` are further fields of its body."""

    def __init__(self, status: int, message: str, *, hint: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.body: Mapping[str, object] = {"error": message, "hint": hint, **more}


def answered(refusal: Refusal) -> web.Response:
    """Return the response."""
    return web.json_response(refusal.body, status=refusal.status, dumps=lambda body: json.dumps(body, indent=2) + "\n")


@web.middleware
async def say_why(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer refusals, and paths and methods that do not exist, with JSON (aiohttp middleware)."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return answered(refusal)
    except web.HTTPNotFound:
        return answered(Refusal(404, f"there is no page {request.path}", hint="GET / lists the pages"))
    except web.HTTPMethodNotAllowed as wrong:
        refused = answered(Refusal(405, f"{request.method} is not possible here", hint="these pages are for reading: use GET"))
        refused.headers["Allow"] = ", ".join(sorted(wrong.allowed_methods))
        return refused


def keep_debug_local(*, remote_debug: bool) -> Middleware:
    """Return the middleware that shows debug pages to this machine only, unless they are meant for others as well.

    They tell the whole configuration of the mesh and ask nobody who he is. What counts is the address that the request comes from, so a
    listener on all addresses still serves them to the machine itself.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(DEBUG) and not remote_debug and not is_local(request.remote):
            return answered(
                Refusal(
                    403,
                    f"debug pages are for this machine only, and the request comes from {request.remote}",
                    hint="ask from the machine itself (kubectl port-forward), or start the server with --remote-debug",
                )
            )
        return await handler(request)

    return guard


def is_local(address: str | None) -> bool:
    """Tell whether a request from an address comes from this machine: over loopback, or over a socket file, which has no address."""
    if not address:
        return True
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback

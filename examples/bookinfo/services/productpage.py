"""The productpage service: the front of bookinfo, as a page for people and as JSON for programs.

| path | answer |
|---|---|
| `/productpage` (and `/`, which leads there) | the page; always 200, with words in the place of what could not be had |
| `/api/v1/products`, `/api/v1/products/0` | the same facts as JSON; a part that could not be had is `{"error": STATUS, "message": "..."}` |
| `/login?user=NAME` or the form, `/logout` | set or remove the cookie `user`, which goes on to all services as the header `end-user` |
| `/quotes` | a quote from `quotes.example.org`, outside the mesh |
| `/api/v1/stats/WORKLOAD` | what `/stats` of that workload says, if the routes of the mesh lead there |
| `/static/...` | the icon |

A request that carries `end-user` itself keeps it. `?fail=reviews=2` and `?slow=reviews=2` stand for the headers `x-demo-fail` and `x-demo-slow`, which a
browser cannot send.
"""

import os
import re
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from calling import Caller
from page import ICON, render
from serving import Request, Response, json_response, not_found, serve, workload_name

WORKLOAD = workload_name("productpage")
TITLE = "Twenty Thousand Leagues Under the Seas"
SUMMARY = "A professor, his servant and a harpooner go hunting for a sea monster and become the guests of its captain."
USER_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,32}")
QUOTES_URL = os.environ.get("QUOTES_URL") or "http://quotes.example.org/quote"
PRODUCT_PATH = "/api/v1/products/0"
STATS_PREFIX = "/api/v1/stats/"
CALLER = Caller(timeout=3.0)
DEMO_HEADERS = {"fail": "x-demo-fail", "slow": "x-demo-slow"}


def user_of(request: Request) -> str:
    """Return who asks: the header `end-user`, else the cookie; empty for nobody."""
    if user := request.headers.get("end-user", ""):
        return user
    try:
        morsel = SimpleCookie(request.headers.get("cookie", "")).get("user")
    except CookieError:
        return ""
    return morsel.value if morsel and USER_NAME.fullmatch(morsel.value) else ""


def on_behalf_of_user(request: Request) -> Request:
    """Return the request with `end-user` and the demo headers filled in from the cookie and the query."""
    headers = dict(request.headers)
    if user := user_of(request):
        headers["end-user"] = user
    for name, header in DEMO_HEADERS.items():
        if name in request.query:
            headers.setdefault(header, request.query[name])
    return replace(request, headers=headers)


def product(request: Request) -> dict[str, object]:
    """Collect the facts of the product from details and reviews."""
    details = CALLER.get("http://details:9080/details/0", request)
    reviews = CALLER.get("http://reviews:9080/reviews/0", request)
    return {
        "id": 0,
        "title": TITLE,
        "summary": SUMMARY,
        "workload": WORKLOAD,
        "user": user_of(request) or None,
        "details": dict(details.body) if details.ok else details.error(),
        "reviews": dict(reviews.body) if reviews.ok else reviews.error(),
    }


def login(request: Request) -> Response:
    """Sign in whoever the form or the query names; no password, this is a demo."""
    form = dict(parse_qsl(request.body.decode(errors="replace"))) if request.method == "POST" else request.query
    user = form.get("user", "").strip()
    if not USER_NAME.fullmatch(user):
        return json_response({"error": 400, "message": "a user name is 1 to 32 letters, digits and any of _ . @ -"}, 400)
    return to_page(f"user={user}; Path=/; HttpOnly; SameSite=Lax")


def to_page(cookie: str | None = None) -> Response:
    """Lead to the page, with a cookie to keep."""
    headers = (("location", "/productpage"),) + ((("set-cookie", cookie),) if cookie else ())
    return Response(303, b"", "text/plain; charset=utf-8", headers)


def quote(request: Request) -> Response:
    """Fetch a quote from outside the mesh; the status is the one that came back, so that curl sees what happened."""
    reply = CALLER.get(QUOTES_URL, request)
    if not reply.ok:
        return json_response({"workload": WORKLOAD, **reply.error()}, reply.status)
    return json_response({"workload": WORKLOAD, "url": QUOTES_URL, "outside": dict(reply.body)})


def stats(request: Request) -> Response:
    """Fetch the counters of one workload: the header `x-stats-of` says which, and a route of the mesh must lead there."""
    workload = request.path.removeprefix(STATS_PREFIX)
    app = workload.rpartition("-")[0]
    if app not in ("details", "reviews", "ratings"):
        return not_found(request)
    reply = CALLER.get(f"http://{app}:9080/stats", request, {"x-stats-of": workload})
    if not reply.ok:
        return json_response(reply.error(), reply.status)
    if reply.body.get("workload") != workload:
        message = f"{reply.body.get('workload')} answered: no route of the mesh leads requests with x-stats-of: {workload} to {workload}"
        return json_response({"error": 404, "message": message}, 404)
    return json_response(dict(reply.body))


def handle(request: Request) -> Response:
    """Answer one request."""
    request = on_behalf_of_user(request)
    match request.path:
        case "/":
            return to_page()
        case "/productpage":
            return Response(200, render(product(request)), "text/html; charset=utf-8")
        case "/api/v1/products":
            return json_response({"products": [{"id": 0, "title": TITLE, "path": PRODUCT_PATH}]})
        case "/api/v1/products/0":
            return json_response(product(request))
        case "/login":
            return login(request)
        case "/logout":
            return to_page("user=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
        case "/quotes":
            return quote(request)
        case "/static/icon.svg":
            return Response(200, ICON.encode(), "image/svg+xml", (("cache-control", "max-age=3600"),))
        case path if path.startswith(STATS_PREFIX):
            return stats(request)
        case _:
            return not_found(request)


if __name__ == "__main__":
    serve("productpage", handle)

"""The outside world, as far as bookinfo needs one: `GET /quote` answers a line of the book and what the request looked like when it left the mesh."""

import itertools

from serving import Request, Response, json_response, not_found, serve, workload_name

WORKLOAD = workload_name("outside")
QUOTES = (
    "The sea is everything.",
    "We may brave human laws, but we cannot resist natural ones.",
    "The earth does not want new continents, but new men.",
)
TURN = itertools.count()


def handle(request: Request) -> Response:
    """Answer the next quote, the headers that arrived, and who answered."""
    if request.path == "/quote":
        quote = QUOTES[next(TURN) % len(QUOTES)]
        return json_response({"workload": WORKLOAD, "quote": quote, "headers": dict(sorted(request.headers.items()))})
    return not_found(request)


if __name__ == "__main__":
    serve("outside", handle)

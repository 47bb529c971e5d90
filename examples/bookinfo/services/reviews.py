"""The reviews service: what readers say, `GET /reviews/0`, in three versions that look different on the page.

Version 1 knows no ratings, version 2 asks the ratings service and shows black stars, version 3 does so with red ones. The version is the end of the
workload's name. A ratings service that fails costs the stars, not the reviews.
"""

from calling import Caller
from serving import Request, Response, json_response, not_found, serve, workload_name

WORKLOAD = workload_name("reviews")
COLORS = {"v1": None, "v2": "black", "v3": "red"}
COLOR = COLORS.get(WORKLOAD.rpartition("-")[2], "black")
TEXTS = {
    "Nadia": "I wanted to be on the Nautilus by chapter ten, and did not want to leave it by chapter forty. The lists of fish are part of the charm.",
    "Kofi": "A mystery, a machine and a library under the sea. Nemo stays with you long after the last page, like a good captain should.",
}
CALLER = Caller(timeout=5.0)  # longer than the productpage waits for us: whoever asks decides when it has been too long


def handle(request: Request) -> Response:
    """Answer the reviews with the stars that were to be had, the attempt that this was, and who answered."""
    if request.path != "/reviews/0":
        return not_found(request)
    stars: dict[str, object] = {}
    ratings: dict[str, object] | None = None
    if COLOR:
        reply = CALLER.get("http://ratings:9080/ratings/0", request)
        given = reply.body.get("stars")
        stars = given if isinstance(given, dict) else {}
        ratings = {"workload": reply.body.get("workload"), "color": COLOR} if reply.ok else reply.error()
    items = [{"reviewer": name, "text": text, "stars": stars.get(name)} for name, text in TEXTS.items()]
    return json_response({"id": 0, "workload": WORKLOAD, "attempt": request.attempt, "items": items, "ratings": ratings})


if __name__ == "__main__":
    serve("reviews", handle)

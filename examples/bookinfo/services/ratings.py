"""The ratings service: how many stars each reviewer gave, `GET /ratings/0`."""

from serving import Request, Response, json_response, not_found, serve, workload_name

WORKLOAD = workload_name("ratings")
STARS = {"Nadia": 5, "Kofi": 4}


def handle(request: Request) -> Response:
    """Answer the stars by reviewer, and who answered."""
    if request.path == "/ratings/0":
        return json_response({"id": 0, "workload": WORKLOAD, "stars": STARS})
    return not_found(request)


if __name__ == "__main__":
    serve("ratings", handle)

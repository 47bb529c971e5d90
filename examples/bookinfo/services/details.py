"""The details service: facts about the book, `GET /details/0`."""

from serving import Request, Response, json_response, not_found, serve, workload_name

WORKLOAD = workload_name("details")
FACTS = {
    "author": "Jules Verne",
    "original title": "Vingt mille lieues sous les mers",
    "first published": "1870",
    "publisher": "Pierre-Jules Hetzel",
    "illustrators": "Alphonse de Neuville, Édouard Riou",
    "kind": "novel, adventure",
}


def handle(request: Request) -> Response:
    """Answer the facts, and who answered."""
    if request.path == "/details/0":
        return json_response({"id": 0, "workload": WORKLOAD, "facts": FACTS})
    return not_found(request)


if __name__ == "__main__":
    serve("details", handle)

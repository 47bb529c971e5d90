"""An HTTP server for tests that tells its name, and fails or waits when it is asked to. It stands for itself: only the standard library.

Arguments are the name, the address and the port. ``?fail=NAME`` makes the server of that name answer 503, ``?wait=SECONDS`` keeps the
answer back. It prints ``listening`` when it does.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def serve(name: str, address: str, port: int) -> None:
    """Answer until the process is ended."""

    class Handler(BaseHTTPRequestHandler):
        """Answers of this server."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with the name."""
            wanted = parse_qs(urlsplit(self.path).query)
            time.sleep(float(wanted.get("wait", ["0"])[0]))
            body = name.encode()
            self.send_response(503 if name in wanted.get("fail", ()) else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((address, port), Handler)
    server.daemon_threads = True
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))

"""Print what Alertmanager sends to its receivers, one JSON document per line.

It runs in Alertmanager's own network, where alertmanager.yml expects the receivers.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook(BaseHTTPRequestHandler):
    """Accept every message."""

    def do_POST(self) -> None:
        """Print the message on one line."""
        body = self.rfile.read(int(self.headers["content-length"]))
        print(body.decode().strip(), flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing else."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 9095), Hook).serve_forever()

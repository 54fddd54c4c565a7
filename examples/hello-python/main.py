"""A small web app on Python's standard library."""

import hashlib
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PORT = int(os.environ.get("PORT", "3000"))
VERSION_FILE = Path(__file__).with_name("version.txt")
VERSION = VERSION_FILE.read_text().strip() if VERSION_FILE.exists() else "1.0.0"


class Handler(BaseHTTPRequestHandler):
    # Keep-alive is the default from HTTP/1.1 on.
    protocol_version = "HTTP/1.1"
    # Head and body are two writes: else the second waits until the first is acknowledged, 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self):
        path = urlsplit(self.path).path
        if path == "/":
            self.answer(HTTPStatus.OK, f"Hello from NanoScale (python) version={VERSION}\n")
        elif path == "/healthz":
            self.answer(HTTPStatus.OK, "ok\n")
        elif path.startswith("/env/"):
            self.variable(path.removeprefix("/env/"))
        else:
            self.answer(HTTPStatus.NOT_FOUND, "not found\n")

    do_HEAD = do_GET

    def do_POST(self):
        if urlsplit(self.path).path != "/echo":
            self.close_connection = True
            self.answer(HTTPStatus.NOT_FOUND, "not found\n")
            return
        self.answer(HTTPStatus.OK, self.body())

    def variable(self, name):
        """Tells of a variable without showing it."""
        value = os.environ.get(name)
        if value is None:
            self.answer(HTTPStatus.NOT_FOUND, "not set\n")
        else:
            self.answer(HTTPStatus.OK, hashlib.sha256(value.encode()).hexdigest())

    def body(self):
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def answer(self, status, body):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-version", VERSION)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """Requests are not logged: the log is for what the app has to say."""


class Server(ThreadingHTTPServer):
    # Connections that visitors keep open do not keep the process from ending.
    daemon_threads = True
    request_queue_size = 128


def main():
    server = Server(("127.0.0.1", PORT), Handler)
    # shutdown() waits for serve_forever(), which this very thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"hello-python {VERSION} listens on port {PORT}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())

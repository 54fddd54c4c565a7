"""`main.py build` attacks once and keeps what came of it, `main.py workspace TARGETS` says it; without an argument it is an app that
attacks when asked."""
import http.server
import json
import os
import sys
import traceback

import bombs
import files
import kernel
import processes
import sockets
import verdict

ATTACKS = {attack.__name__: attack for part in (files, kernel, processes, sockets) for attack in part.ATTACKS}


def attack(name):
    try:
        return ATTACKS[name]()
    except Exception:
        return "SUCCEEDED: " + traceback.format_exc()


def everything():
    return {name: attack(name) for name in ATTACKS}


class App(http.server.BaseHTTPRequestHandler):
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/attack/"):
            return self.answer(attack(self.path.rsplit("/", 1)[1]))
        if self.path.startswith("/bomb/"):
            return self.answer(bombs.light(self.path.rsplit("/", 1)[1]))
        if self.path == "/built":
            with open("built.json") as file:
                return self.answer(json.load(file))
        self.answer({"uid": os.getuid()})

    def do_POST(self):
        """Whoever asks says what there is to aim at."""
        verdict.TARGETS.update(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer(everything())

    def log_message(self, *_):
        pass


if sys.argv[1:] == ["build"]:
    told = everything()
    with open("built.json", "w") as out:
        json.dump({"uid": os.getuid(), "told": told}, out)
elif sys.argv[1:2] == ["workspace"]:
    with open(sys.argv[2]) as known:
        verdict.TARGETS.update(json.load(known))
    # Its path and its socket come with the workspace, not with an app.
    import workspace
    ATTACKS.update((attack.__name__, attack) for attack in workspace.ATTACKS)
    print(json.dumps(everything()))
else:
    verdict.RUNNING = True
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), App).serve_forever()

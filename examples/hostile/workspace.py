"""What a workspace has beside an app's sandbox: somebody else's files, terminals and ports, and a way to ask for credentials."""
import json
import os
import re
import socket

from files import WAYS, peek, scribble
from sockets import tcp
from verdict import each, each_at_once, targets

ASK = os.path.join(os.environ.get("NANOSCALE_DIRECTORY", "/run/nanoscale"), "workspace.sock")
CREDENTIAL = re.compile(rb"nst_[0-9A-Za-z]|eyJ[0-9A-Za-z_-]{20}|PRIVATE KEY|nanoscale_session")


def known():
    return [way.format(path) for path in targets("workspaces") for way in WAYS]


def read_workspaces_from_outside():
    """A neighbour's home and terminals, and what the node keeps of this one."""
    return each([(path, lambda path=path: peek(path)) for path in known()])


def write_to_workspaces_from_outside():
    return each([(path, lambda path=path: scribble(os.path.join(path, "x") if os.path.isdir(path) else path))
                 for path in known()])


def write_to_what_the_node_shows():
    own = os.path.dirname(ASK)
    attempts = [(name, lambda path=os.path.join(own, name): scribble(path)) for name in ("gitconfig", "files.json", "x")]
    attempts += [("unlink", lambda: os.unlink(ASK) or "gone"), ("rename", lambda: os.rename(ASK, "/tmp/sock") or "moved"),
                 ("bind", lambda: socket.socket(socket.AF_UNIX).bind(os.path.join(own, "x")) or "bound"),
                 ("chmod", lambda: os.chmod(own, 0o777) or "changed")]
    return each(attempts)


def ports_of_a_neighbours_workspace():
    return each_at_once(tcp(targets("workspace_addresses"), targets("workspace_ports")))


def shout_into_terminals():
    """Whatever terminal has a name in here; those who shall not hear it are looked at by whoever asked."""
    heard = 0
    for name in os.listdir("/dev/pts"):
        try:
            with open(os.path.join("/dev/pts", name), "wb", buffering=0) as terminal:
                heard += terminal.write(b"") == 0
                terminal.write(b"shouted from inside\r\n")
        except OSError:
            pass
    return f"contained: {heard} heard it, all of this workspace"


def look_for(place, text):
    found = CREDENTIAL.search(text)
    return f"{place}: {found.group()}" if found else None


def find_credentials():
    """In what processes were given, and in every file that is not the system's."""
    def read(path):
        with open(path, "rb") as file:
            return look_for(path, file.read(1 << 20))
    paths = [f"/proc/{pid}/{name}" for pid in os.listdir("/proc") if pid.isdigit() for name in ("environ", "cmdline")]
    for top in ("/run", "/tmp", os.path.expanduser("~")):
        for directory, _, names in os.walk(top):
            paths += [os.path.join(directory, name) for name in names if not name.endswith((".py", ".pyc"))]
    return each([(path, lambda path=path: read(path)) for path in paths if os.path.isfile(path)])


def ask(question):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(ASK)
        client.sendall(question)
        with client.makefile("rb") as answers:
            return answers.readline()


def credential(host):
    return json.loads(ask(json.dumps({"protocol": "https", "host": host}).encode() + b"\n") or b"null")


def ask_for_anothers_credentials():
    """Its owner's are given out, so the way is closed and not empty."""
    if any(credential(host) is None for host in targets("own_hosts")):
        return "SUCCEEDED: in breaking it, as its owner's are not given out either"
    hosts = targets("foreign_hosts")
    hosts += [f"{host}{suffix}" for host in targets("own_hosts") for suffix in ("/", ".", ":8443", "@evil.example", "%00", "\0", ".git.example.org")]
    return each([(host, lambda host=host: credential(host)) for host in hosts])


def confuse_whoever_answers():
    """Afterwards it has to answer still."""
    kept = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    for client in kept:
        client.setblocking(False)
        try:
            client.connect(ASK)
        except OSError:
            pass
    for question in (b"\n", b"{}\n", b"null\n", b"[" * 100000, b"\xff" * 1000 + b"\n", b'{"protocol":"https"}\n'):
        try:
            said = ask(question)
            if said.strip() not in (b"", b"null"):
                return f"SUCCEEDED: {question[:20]} is answered with {said}"
        except OSError:
            pass
    for client in kept:
        client.close()
    for _ in range(50):
        try:
            if all(credential(host) for host in targets("own_hosts")):
                return "contained: it answers still"
        except (OSError, ValueError):
            pass
    return "SUCCEEDED: nobody is answered any more"


ATTACKS = [read_workspaces_from_outside, write_to_workspaces_from_outside, write_to_what_the_node_shows,
           ports_of_a_neighbours_workspace, shout_into_terminals, find_credentials, ask_for_anothers_credentials,
           confuse_whoever_answers]

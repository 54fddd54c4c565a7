"""What is not this project's, on the disk and in the kernel's own file systems."""
import os
import stat

import verdict
from verdict import each, targets

WAYS = ["{}", "/proc/1/root{}", "/proc/self/root{}", "/proc/self/cwd/../../../../../../../..{}", "/tmp/../../..{}",
        "/proc/1/cwd/../../..{}", "//dev/shm/../..{}"]


def peek(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(64)


def read(paths):
    return each([(path, lambda path=path: peek(path)) for known in paths for path in (way.format(known) for way in WAYS)])


def read_the_database():
    return read(targets("database"))


def read_the_key_ring():
    return read(targets("keys"))


def read_the_nodes_state():
    return read(targets("node"))


def read_a_neighbours_release():
    return read(targets("neighbour_release"))


def read_a_neighbours_volume():
    return read(targets("neighbour_volume"))


def read_a_neighbours_log():
    return read(targets("neighbour_log"))


def read_the_host():
    return read(["/etc/shadow", "/etc/hostname", "/root", "/home", "/var", "/run", "/boot", "/sys", "/opt", "/srv",
                 "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse", "/dev/net/tun",
                 "/dev/loop-control", "/proc/kcore", "/proc/kmsg", "/proc/slabinfo"])


def find_what_has_a_telling_name():
    """Looks through everything that has a name in here."""
    telling = {"nanoscale.db", "keys.json", "identities.json", "shim.sock", "net.sock"}
    found = []
    for top, directories, files in os.walk("/"):
        if top == "/":
            directories[:] = [it for it in directories if it not in ("proc", "usr", "sys")]
        for name in files:
            path = os.path.join(top, name)
            try:
                if name in telling or stat.S_ISSOCK(os.lstat(path).st_mode):
                    found.append(path)
            except OSError:
                pass
    return f"SUCCEEDED: {found}" if found else "denied: no such name in the whole tree"


def link_to_what_is_not_mine():
    """A symbolic link gives no more than its target; a hard link would."""
    attempts = []
    for number, path in enumerate(targets("database", "keys", "neighbour_release") + ["/etc/passwd", "/usr/bin/env"]):
        hard, soft = f"/tmp/hard{number}", f"/tmp/soft{number}"
        attempts.append((f"link to {path}", lambda path=path, hard=hard: os.link(path, hard) or hard))
        if not path.startswith(("/etc", "/usr")):
            def through(path=path, soft=soft):
                if not os.path.islink(soft):
                    os.symlink(path, soft)
                return peek(soft)
            attempts.append((f"symlink to {path}", through))
    return each(attempts)


def scribble(path):
    with open(path, "r+b" if os.path.isfile(path) else "wb") as file:
        return f"opened {path} for writing: {file.name}"


def write_to_the_system():
    paths = ["/x", "/usr/x", "/usr/bin/env", "/usr/local/bin/x", "/bin/sh", "/etc/passwd", "/etc/resolv.conf", "/etc/x",
             "/etc/ld.so.preload", "/dev/x", "/nanoscale", "/upload.tar", "/proc/self/exe", "/proc/1/exe"]
    return each([(path, lambda path=path: scribble(path)) for path in paths])


def write_back(path):
    """What it says already, should it be let."""
    with open(path, "r+b", buffering=0) as file:
        text = file.read(4096)
        file.seek(0)
        file.write(text)
        return f"wrote {text} to {path}"


def write_to_the_kernel():
    paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
             "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/forwarding",
             "/proc/sys/fs/binfmt_misc/register", "/proc/sysrq-trigger", "/proc/sys/kernel/ns_last_pid",
             "/sys/kernel/uevent_helper", "/sys/power/state", "/proc/1/oom_score_adj", "/proc/1/uid_map",
             "/proc/irq/default_smp_affinity", "/proc/acpi/wakeup"]
    return each([(path, lambda path=path: write_back(path)) for path in paths])


def leave_the_cgroup():
    paths = ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/cgroup.procs",
             "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/pids/cgroup.procs"] + targets("cgroup")
    return each([(path, lambda path=path: scribble(path)) for way in WAYS for path in map(way.format, paths)])


def write_to_its_own_release():
    if not verdict.RUNNING:
        return "contained: a build makes its release, a workspace is its owner's"
    here = os.path.dirname(os.path.abspath(__file__))
    attempts = [(name, lambda name=name: scribble(os.path.join(here, name))) for name in ("main.py", "new")]
    attempts += [
        ("chmod", lambda: os.chmod(here, 0o777) or "changed"),
        ("unlink", lambda: os.unlink(os.path.join(here, "README.md")) or "gone"),
        ("hard link", lambda: os.link(os.path.join(here, "main.py"), "/tmp/main.py") or "linked"),
        ("rename", lambda: os.rename(os.path.join(here, "main.py"), "/tmp/main.py") or "moved"),
    ]
    return each(attempts)


def write_to_anothers_release():
    paths = targets("neighbour_release", "neighbour_volume")
    return each([(path, lambda path=path: scribble(path)) for way in WAYS for path in map(way.format, paths)])


ATTACKS = [read_the_database, read_the_key_ring, read_the_nodes_state, read_a_neighbours_release, read_a_neighbours_volume,
           read_a_neighbours_log, read_the_host, find_what_has_a_telling_name, link_to_what_is_not_mine, write_to_the_system,
           write_to_the_kernel, leave_the_cgroup, write_to_its_own_release, write_to_anothers_release]

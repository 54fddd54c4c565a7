"""System calls that would give more than an app has."""
import fcntl
import os
import resource
import stat
import subprocess
import termios

import verdict
from verdict import calls, each, syscall

NAMESPACES = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000,
              "uts": 0x4000000, "cgroup": 0x2000000, "time": 0x80}


def become_root():
    return calls(("setuid", 0), ("setgid", 0), ("setgroups", 1, b"\0\0\0\0"),
                 ("capset", b"\x22\x05\x08\x20\0\0\0\0", b"\xff" * 24))


def run_setuid_programs():
    """Whatever the system has with that bit: it must run as the same user."""
    ran = []
    for directory in ("/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/lib/openssh"):
        for entry in os.scandir(directory) if os.path.isdir(directory) else ():
            try:
                if not entry.is_file() or not entry.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
                    continue
            except OSError:
                continue
            try:
                process = subprocess.Popen([entry.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)
            except OSError:
                continue
            try:
                # Not reaped yet, so its file is there, ended or not.
                with open(f"/proc/{process.pid}/status") as file:
                    uids = next(line for line in file if line.startswith("Uid:")).split()[1:]
                if set(uids) != {str(os.getuid())}:
                    return f"SUCCEEDED: {entry.path} runs as {uids}"
                ran.append(entry.name)
            finally:
                process.kill()
                process.wait()
    return f"contained: {len(ran)} ran, all with the app's user id"


def make_a_setuid_program():
    """Its owner would be this user, and nobody outside can reach it; nosuid besides."""
    path = "/tmp/setuid"
    with open("/bin/sh", "rb") as source, open(path, "wb") as file:
        file.write(source.read())
    os.chmod(path, 0o6755)
    said = subprocess.run([path, "-c", "id -u; id -g"], capture_output=True, text=True).stdout.split()
    return "contained: nosuid" if said == [str(os.getuid()), str(os.getgid())] else f"SUCCEEDED: {said}"


def make_namespaces():
    attempts = []
    for name, flag in NAMESPACES.items():
        attempts.append((f"unshare {name}", lambda flag=flag: f"gave {syscall('unshare', flag)}"))
        if name != "time":
            # A child that was made ends at once.
            def clone(flag=flag):
                pid = syscall("clone", flag | 17, 0, 0, 0, 0)
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                return "a child"
            attempts.append((f"clone {name}", clone))
    attempts.append(("clone3", lambda: f"gave {syscall('clone3', 0, 0)}"))
    return each(attempts)


def join_namespaces():
    attempts = []
    for pid in [1, "self"]:
        for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
            def join(path=f"/proc/{pid}/ns/{name}"):
                fd = os.open(path, os.O_RDONLY)
                try:
                    return f"gave {syscall('setns', fd, 0)}"
                finally:
                    os.close(fd)
            attempts.append((f"setns {pid} {name}", join))
    return each(attempts)


def mount_things():
    return calls(("mount", b"none", b"/tmp", b"tmpfs", 0, 0), ("mount", b"none", b"/tmp", b"cgroup", 0, b"memory"),
                 ("mount", b"/proc", b"/tmp", 0, 4096, 0), ("mount", 0, b"/", 0, 32 | 4096, 0), ("umount2", b"/tmp", 2),
                 ("umount2", b"/proc", 2), ("pivot_root", b"/tmp", b"/tmp"), ("chroot", b"/tmp"), ("fsopen", b"tmpfs", 0),
                 ("open_tree", -100, b"/", 1), ("move_mount", -100, b"/tmp", -100, b"/dev", 0),
                 ("mount_setattr", -100, b"/", 0, b"\0" * 32, 32))


def load_code_into_the_kernel():
    return calls(("init_module", b"x", 1, b""), ("finit_module", 0, b"", 0), ("delete_module", b"x", 0),
                 ("kexec_load", 0, 0, 0, 0), ("kexec_file_load", 0, 0, 0, b"", 0), ("bpf", 0, b"\0" * 64, 64),
                 ("bpf", 5, b"\0" * 64, 64))


def watch_the_kernel():
    return calls(("perf_event_open", b"\0" * 112, 0, -1, -1, 0), ("syslog", 3, b"\0" * 16, 16), ("fanotify_init", 0, 0),
                 ("userfaultfd", 0), ("userfaultfd", 1), ("io_uring_setup", 1, b"\0" * 120))


def use_keyrings():
    return calls(("add_key", b"user", b"x", b"x", 1, -3), ("request_key", b"user", b"x", 0, -3), ("keyctl", 0, -3, 0),
                 ("keyctl", 1, 0))


def open_by_handle():
    return calls(("open_by_handle_at", 3, b"\x08\0\0\0\x01\0\0\0\x02" + b"\0" * 7, 0),
                 ("name_to_handle_at", -100, b"/", b"\x80" + b"\0" * 135, b"\0" * 8, 0))


def change_the_machine():
    return calls(("sethostname", b"x", 1), ("setdomainname", b"x", 1), ("settimeofday", b"\0" * 16, 0),
                 ("clock_settime", 0, b"\0" * 16), ("adjtimex", b"\x01" + b"\0" * 207), ("clock_adjtime", 0, b"\x01" + b"\0" * 207),
                 ("reboot", 0xfee1dead, 672274793, 0, 0), ("swapon", b"/tmp/x", 0), ("swapoff", b"/tmp/x"),
                 ("acct", b"/tmp/x"), ("quotactl", 0x800003, 0, 0, 0), ("vhangup",), ("iopl", 3), ("ioperm", 0, 1, 1))


def make_device_nodes():
    return each([(kind, lambda mode=mode, number=number, kind=kind:
                  f"made {syscall('mknodat', -100, f'/tmp/node-{kind}'.encode(), mode | 0o666, number)}")
                 for kind, mode, number in (("mem", stat.S_IFCHR, 0x101), ("null", stat.S_IFCHR, 0x103),
                                            ("disk", stat.S_IFBLK, 0x800), ("virtio", stat.S_IFBLK, 0xfe00))])


def type_into_a_terminal():
    leader, follower = os.openpty()
    try:
        return each([("TIOCSTI", lambda: fcntl.ioctl(follower, termios.TIOCSTI, b"x") or "typed"),
                     ("TIOCLINUX", lambda: fcntl.ioctl(follower, 0x541C, b"\x02" * 8) or "typed")])
    finally:
        os.close(leader)
        os.close(follower)


def raise_its_limits():
    def more(which):
        soft, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY:
            return None
        try:
            resource.setrlimit(which, (hard + 1, hard + 1))
        except ValueError:
            return None
        return resource.getrlimit(which)
    first_in_line = b"\x01\0\0\0"
    return each([("nofile", lambda: more(resource.RLIMIT_NOFILE)), ("core", lambda: more(resource.RLIMIT_CORE)),
                 ("realtime", lambda: f"gave {syscall('sched_setscheduler', 0, 1, first_in_line)}"),
                 ("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20) or "higher")])


def get_a_core_dump_handled():
    """A handler named in core_pattern runs as root on the host, even where the limit is 0; 1 means never."""
    pid = os.fork()
    if pid == 0:
        os.abort()
    _, status = os.waitpid(pid, 0)
    return "SUCCEEDED: the kernel dumped a core" if os.WCOREDUMP(status) else "denied: no core is dumped"


ATTACKS = [become_root, run_setuid_programs, make_a_setuid_program, make_namespaces, join_namespaces, mount_things,
           load_code_into_the_kernel, watch_the_kernel, use_keyrings, open_by_handle, change_the_machine, make_device_nodes,
           type_into_a_terminal, raise_its_limits, get_a_core_dump_handled]

"""Other people's processes, and staying when told to go."""
import os
import signal
import time

from verdict import calls, each, syscall, targets


def host_pids():
    return targets("pids") + [1]


def see_other_processes():
    uid = os.getuid()
    others = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/status") as file:
                real = next(line for line in file if line.startswith("Uid:")).split()[1]
            if int(real) != uid:
                others.append(name)
        except OSError:
            pass
    return f"SUCCEEDED: {others}" if others else "contained: sees processes of its own user in its own sandbox"


def read_memory_and_environment():
    """Of its init, which has our user id and was forked from a part of the product, and of the host's."""
    def get(path):
        if os.path.isdir(path):
            return os.listdir(path)
        if os.path.islink(path):
            return os.readlink(path)
        with open(path, "rb", buffering=0) as file:
            return file.read(16)
    names = ("mem", "environ", "fd", "maps", "exe", "root", "cwd", "auxv", "io", "stack", "syscall", "map_files")
    # A pid of the host that happens to be one of ours in here would say nothing.
    pids = [1] + [pid for pid in targets("pids") if not os.path.exists(f"/proc/{pid}")]
    return each([(f"/proc/{pid}/{name}", lambda path=f"/proc/{pid}/{name}": get(path)) for pid in pids for name in names])


def trace_processes():
    attempts = []
    for pid in host_pids():
        attempts += [("ptrace", 16, pid, 0, 0), ("ptrace", 0x4206, pid, 0, 0), ("process_vm_readv", pid, 0, 0, 0, 0, 0),
                     ("process_vm_writev", pid, 0, 0, 0, 0, 0), ("pidfd_getfd", 3, 1, 0), ("process_madvise", 3, 0, 0, 4, 0)]
    return calls(*attempts)


def signal_the_host():
    def send(pid):
        os.kill(pid, signal.SIGCONT)
        return f"signalled {pid}"
    outside = [pid for pid in targets("pids") if not os.path.exists(f"/proc/{pid}")]
    attempts = [(f"kill {pid}", lambda pid=pid: send(pid)) for pid in outside]
    attempts += [(f"pidfd {pid}", lambda pid=pid: f"opened {syscall('pidfd_open', pid, 0)}") for pid in outside]
    attempts += [(f"killpg {pid}", lambda pid=pid: os.killpg(pid, signal.SIGCONT) or "signalled") for pid in outside]
    attempts += [(f"priority of {pid}", lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19) or "changed") for pid in outside]
    return each(attempts)


def kill_its_init():
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV):
        try:
            os.kill(1, number)
        except OSError:
            pass
    with open("/proc/1/stat") as file:
        state = file.read().rsplit(")", 1)[1].split()[0]
    return "contained: the init does not hear it" if state in "SRD" else f"SUCCEEDED: it is in state {state}"


def outlive_its_stop():
    """A daemon that ignores every signal; whoever asked looks for it when we are told to go."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            for fd in range(3):
                os.close(fd)
            while True:
                time.sleep(3600)
        os._exit(0)
    os.waitpid(pid, 0)
    return "contained: its end is the test's to see"


ATTACKS = [see_other_processes, read_memory_and_environment, trace_processes, signal_the_host, kill_its_init,
           outlive_its_stop]

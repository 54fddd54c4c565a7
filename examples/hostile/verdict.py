"""What came of an attack, and what it is told to aim at."""
import concurrent.futures
import ctypes
import errno
import json
import os
import platform

# Paths, pids, ports and addresses of the real machine: an attacker who knows everything.
TARGETS = json.loads(os.environ.get("TARGETS", "{}"))
# Whether this is the app, and not the build.
RUNNING = False
# The kernel says so where there is no such thing or no right to it; anything else is as good as a way in.
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOENT, errno.ENOSYS, errno.ESRCH, errno.EROFS, errno.ENOTDIR,
            errno.ELOOP, errno.ENODEV, errno.ENXIO, errno.EXDEV, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT,
            errno.ESOCKTNOSUPPORT, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT,
            errno.EADDRNOTAVAIL, errno.ENOPROTOOPT}

X86 = {"acct": 163, "add_key": 248, "adjtimex": 159, "bpf": 321, "capset": 126, "chroot": 161, "clock_adjtime": 305,
       "clock_settime": 227, "clone": 56, "clone3": 435, "delete_module": 176, "fanotify_init": 300, "finit_module": 313,
       "fsopen": 430, "init_module": 175, "io_uring_setup": 425, "ioperm": 173, "iopl": 172, "kexec_file_load": 320,
       "kexec_load": 246, "keyctl": 250, "mknodat": 259, "mount": 165, "mount_setattr": 442, "move_mount": 429,
       "name_to_handle_at": 303, "open_by_handle_at": 304, "open_tree": 428, "perf_event_open": 298, "pidfd_getfd": 438,
       "pidfd_open": 434, "pidfd_send_signal": 424, "pivot_root": 155, "process_madvise": 440, "process_vm_readv": 310,
       "process_vm_writev": 311, "ptrace": 101, "quotactl": 179, "reboot": 169, "request_key": 249,
       "sched_setscheduler": 144, "setdomainname": 171, "setgid": 106, "setgroups": 116, "sethostname": 170, "setns": 308,
       "settimeofday": 164, "setuid": 105, "swapoff": 168, "swapon": 167, "syslog": 103, "umount2": 166, "unshare": 272,
       "userfaultfd": 323, "vhangup": 153}
ARM = {"acct": 89, "add_key": 217, "adjtimex": 171, "bpf": 280, "capset": 91, "chroot": 51, "clock_adjtime": 266,
       "clock_settime": 112, "clone": 220, "clone3": 435, "delete_module": 106, "fanotify_init": 262, "finit_module": 273,
       "fsopen": 430, "init_module": 105, "io_uring_setup": 425, "kexec_file_load": 294, "kexec_load": 104, "keyctl": 219,
       "mknodat": 33, "mount": 40, "mount_setattr": 442, "move_mount": 429, "name_to_handle_at": 264,
       "open_by_handle_at": 265, "open_tree": 428, "perf_event_open": 241, "pidfd_getfd": 438, "pidfd_open": 434,
       "pidfd_send_signal": 424, "pivot_root": 41, "process_madvise": 440, "process_vm_readv": 270,
       "process_vm_writev": 271, "ptrace": 117, "quotactl": 60, "reboot": 142, "request_key": 218,
       "sched_setscheduler": 119, "setdomainname": 162, "setgid": 144, "setgroups": 159, "sethostname": 161, "setns": 268,
       "settimeofday": 170, "setuid": 146, "swapoff": 225, "swapon": 224, "syslog": 116, "umount2": 39, "unshare": 97,
       "userfaultfd": 282, "vhangup": 58}
NUMBERS = X86 if platform.machine() == "x86_64" else ARM

libc = ctypes.CDLL(None, use_errno=True)


def targets(*kinds):
    return [item for kind in kinds for item in TARGETS.get(kind, [])]


def syscall(name, *arguments):
    """Raises OSError as the kernel refuses."""
    if name not in NUMBERS:
        raise OSError(errno.ENOSYS, name)
    ctypes.set_errno(0)
    plain = [ctypes.c_long(it) if isinstance(it, int) else it for it in arguments]
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *plain)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def each(attempts):
    """Tries (label, action) pairs; an action that returns something other than None got somewhere."""
    return judge(outcome(*attempt) for attempt in attempts)


def each_at_once(attempts):
    """The same for those that mostly wait for an answer."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        return judge(pool.map(lambda attempt: outcome(*attempt), attempts))


def outcome(label, action):
    """Whether it was refused, and how."""
    try:
        got = action()
    except TimeoutError as error:
        return True, errno.errorcode[error.errno] if error.errno else "no answer"
    except OSError as error:
        if error.errno in REFUSALS:
            return True, errno.errorcode[error.errno]
        return False, f"{label} got as far as {error!r}"
    return got is None, f"{label}: {str(got)[:200]}" if got is not None else "nothing there"


def judge(outcomes):
    outcomes = list(outcomes)
    reached = [what for refused, what in outcomes if not refused]
    if reached:
        return f"SUCCEEDED: {'; '.join(reached)}"
    return f"denied: {len(outcomes)} tries, {', '.join(sorted({what for _, what in outcomes}))}" if outcomes else \
        "SUCCEEDED: nothing was tried"


def calls(*attempts):
    """System calls, as (name, arguments...)."""
    def one(name, *arguments):
        return (name, lambda: f"{name} gave {syscall(name, *arguments)}")
    return each([one(*attempt) for attempt in attempts])

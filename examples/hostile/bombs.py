"""Each uses one thing up, in processes of its own, for as long as it is let."""
import os
import resource
import sys
import threading


def fork():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def memory():
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20)))


def descriptors():
    kept = []
    for _ in range(8):
        if os.fork() == 0:
            break
    while True:
        try:
            kept.append(os.pipe())
        except OSError:
            pass


def terminals():
    kept = []
    while True:
        try:
            kept.append(os.openpty())
        except OSError as error:
            print(f"terminals: {len(kept)} {error}", flush=True)
            return threading.Event().wait()


def threads():
    threading.stack_size(64 << 10)
    while True:
        try:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        except RuntimeError:
            pass


def log():
    line = "x" * 4000 + "\n"
    while True:
        sys.stdout.write(line)


def processor():
    for _ in range(32):
        if os.fork() == 0:
            break
    while True:
        pass


def fill(directory):
    """Until it is full; then tells how much there was room for."""
    count, piece = 0, os.urandom(1 << 20)
    try:
        with open(os.path.join(directory, "bomb"), "wb", buffering=0) as file:
            while True:
                count += file.write(piece)
    except OSError as error:
        print(f"fill {directory}: {count >> 20} MiB {error}", flush=True)
    threading.Event().wait()


def temporary():
    fill("/tmp")


def shared():
    fill("/dev/shm")


def inodes():
    count = 0
    try:
        while True:
            os.mkdir(f"/tmp/{count}")
            count += 1
    except OSError as error:
        print(f"inodes: {count} {error}", flush=True)
    threading.Event().wait()


def volume():
    """In a plain file, in one that has lost its name, and deeper than any path reaches."""
    if os.fork() == 0:
        file = os.open("/data/nameless", os.O_CREAT | os.O_WRONLY)
        os.unlink("/data/nameless")
        while True:
            os.write(file, os.urandom(1 << 20))
    if os.fork() == 0:
        os.chdir("/data")
        for _ in range(100):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        fill(".")
    fill("/data")


BOMBS = {bomb.__name__: bomb for bomb in (fork, memory, descriptors, terminals, threads, log, processor, temporary, shared,
                                          inodes, volume)}


def light(name):
    """Leaves the one who asked out of it: the init is to reap what goes off."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        BOMBS[name]()
    finally:
        os._exit(0)

//! What a confined process cannot do.

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;

use sandbox::Access;

use crate::{UID, directory, is_root, mount, output, python, run, shell, start_by};

#[test]
fn has_no_privileges() {
    if !is_root() {
        return;
    }
    let status = output(&shell("cat /proc/self/status; id; hostname"));
    for line in [
        "Uid:\t61234\t61234\t61234\t61234",
        "Gid:\t61234\t61234\t61234\t61234",
        "Groups:\t ",
        "CapInh:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "CapAmb:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "uid=61234(app) gid=61234(app) groups=61234(app)",
        "localhost",
    ] {
        assert!(status.lines().any(|found| found == line), "no {line:?} in {status}");
    }
}

#[test]
fn the_init_is_as_poor() {
    if !is_root() {
        return;
    }
    let status = output(&shell("cat /proc/1/status; ls /proc/1/fd 2>&1; cat /proc/1/environ 2>&1; kill -9 1; true"));
    for line in ["Uid:\t61234\t61234\t61234\t61234", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
        assert!(status.lines().any(|found| found == line), "no {line:?} in {status}");
    }
    assert_eq!(status.matches("Permission denied").count(), 2, "{status}");
}

#[test]
fn the_host_has_no_names() {
    if !is_root() {
        return;
    }
    let neighbour = tempfile::tempdir().expect("temporary directory");
    fs::set_permissions(neighbour.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    fs::write(neighbour.path().join("file"), "secret").expect("write");
    let here = neighbour.path().display();
    for path in ["/root", "/home", "/opt", "/var", "/run", "/sys", "/boot", "/etc/shadow", "/etc/hostname"] {
        assert_eq!(output(&shell(&format!("test -e {path} || echo none"))), "none\n", "{path}");
    }
    assert_eq!(output(&shell(&format!("test -e {here} || echo none"))), "none\n");
    let root = output(&shell("ls / | tr '\\n' ' '"));
    for name in root.split_whitespace() {
        assert!(
            ["bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr"].contains(&name),
            "{name}"
        );
    }
    // No way up either, and no descriptor leads out.
    assert_eq!(output(&shell("cd ../../../..; pwd; ls -d ../root 2>/dev/null || echo none")), "/\nnone\n");
}

#[test]
fn sees_its_own_processes_only() {
    if !is_root() {
        return;
    }
    let pids = output(&python("import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))"));
    assert_eq!(pids, "[1, 2]\n");
}

#[test]
fn file_permissions_hold() {
    if !is_root() {
        return;
    }
    let dir = directory();
    fs::write(dir.path().join("private"), "secret").expect("write");
    fs::set_permissions(dir.path().join("private"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let mut spec = shell("cat private && echo read; echo more >> private && echo written; true");
    spec.mounts.push(mount(dir.path(), "/data", Access::ReadWrite));
    spec.cwd = "/data".into();
    assert_eq!(output(&spec), "");
}

#[test]
fn writes_only_where_it_may() {
    if !is_root() {
        return;
    }
    let (writable, read_only) = (directory(), directory());
    fs::write(read_only.path().join("file"), "before").expect("write");
    fs::set_permissions(read_only.path().join("file"), fs::Permissions::from_mode(0o666)).expect("chmod");
    let script = "
for path in /x /usr/x /usr/bin/x /etc/x /etc/passwd /dev/x /proc/sys/kernel/hostname /ro/x /ro/file /tmp/x /dev/shm/x /rw/x; do
  (echo after > $path) 2>/dev/null && echo $path
done
mv /ro/file /rw/stolen 2>/dev/null && echo moved
rm -f /ro/file 2>/dev/null && echo removed
mkdir -p /rw/a/b && mv /rw/x /rw/a/b/ && ln /rw/a/b/x /rw/hard && echo renamed
";
    let mut spec = shell(script);
    spec.mounts.push(mount(writable.path(), "/rw", Access::ReadWrite));
    spec.mounts.push(mount(read_only.path(), "/ro", Access::ReadOnly));
    assert_eq!(output(&spec), "/tmp/x\n/dev/shm/x\n/rw/x\nrenamed\n");
    assert_eq!(fs::read_to_string(read_only.path().join("file")).expect("read"), "before");
    let made = fs::metadata(writable.path().join("hard")).expect("made on the host");
    assert_eq!((made.uid(), made.gid()), (UID, UID));
}

#[test]
fn read_only_goes_all_the_way_down() {
    if !is_root() {
        return;
    }
    let dir = directory();
    fs::create_dir(dir.path().join("below")).expect("mkdir");
    let mut spec = shell("cat below/file; echo after 2>/dev/null > below/file || echo refused");
    spec.mounts.push(mount(dir.path(), "/data", Access::ReadOnly));
    spec.cwd = "/data".into();
    let below = dir.path().join("below").display().to_string();
    let mut command = Command::new("unshare");
    let script = format!(
        "mount -t tmpfs -o mode=0777 none {below} && echo before > {below}/file && chmod 666 {below}/file && exec {}",
        env!("CARGO_BIN_EXE_sandbox-run")
    );
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    assert_eq!(start_by(command, &spec).finish().stdout, "before\nrefused\n");
}

#[test]
fn mounts_nest_and_follow_no_links() {
    if !is_root() {
        return;
    }
    let (outer, inner) = (directory(), directory());
    fs::write(inner.path().join("file"), "inner").expect("write");
    fs::create_dir(outer.path().join("data")).expect("mkdir");
    symlink("/etc", outer.path().join("link")).expect("symlink");
    let with = |target: &str| {
        let mut spec = shell("cat /app/data/file");
        // Children first on purpose.
        spec.mounts.push(mount(inner.path(), target, Access::ReadOnly));
        spec.mounts.push(mount(outer.path(), "/app", Access::ReadOnly));
        spec
    };
    assert_eq!(output(&with("/app/data")), "inner");
    for target in ["/app/link", "/app/link/x"] {
        let ended = run(&with(target));
        assert_eq!(ended.exit, None, "{target}");
        assert!(ended.stderr.starts_with(&format!("mount {target}: ")), "{}", ended.stderr);
    }
}

#[test]
fn a_file_can_be_mounted() {
    if !is_root() {
        return;
    }
    let dir = directory();
    fs::write(dir.path().join("source"), "content").expect("write");
    let mut spec = shell("cat /etc/app/config.toml");
    spec.mounts.push(mount(&dir.path().join("source"), "/etc/app/config.toml", Access::ReadOnly));
    assert_eq!(output(&spec), "content");
}

/// Makes each call and prints its errno.
fn errnos(calls: &[(libc::c_long, &str)]) -> Vec<i32> {
    let mut script = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    print(ctypes.get_errno() if result < 0 else 0)
"
    .to_owned();
    for (number, arguments) in calls {
        script.push_str(&format!("call({number}, {arguments})\n"));
    }
    output(&python(&script)).lines().map(|line| line.parse().expect("errno")).collect()
}

#[test]
fn system_calls_are_refused() {
    let clone = |flag: i32| format!("{}, 0, 0, 0, 0", flag | libc::SIGCHLD);
    let socket = |family: i32, protocol: i32| format!("{family}, {}, {protocol}", libc::SOCK_DGRAM);
    let refused: Vec<(libc::c_long, String)> = vec![
        (libc::SYS_mount, "b'none', b'/tmp', b'tmpfs', 0, 0".into()),
        (libc::SYS_umount2, "b'/tmp', 0".into()),
        (libc::SYS_fsopen, "b'tmpfs', 0".into()),
        (libc::SYS_open_tree, "-100, b'/tmp', 1".into()),
        (libc::SYS_pivot_root, "b'/tmp', b'/tmp'".into()),
        (libc::SYS_chroot, "b'/tmp'".into()),
        (libc::SYS_unshare, libc::CLONE_NEWUSER.to_string()),
        (libc::SYS_unshare, libc::CLONE_FILES.to_string()),
        (libc::SYS_setns, "0, 0".into()),
        (libc::SYS_clone, clone(libc::CLONE_NEWUSER)),
        (libc::SYS_clone, clone(libc::CLONE_NEWNS | libc::CLONE_NEWUSER)),
        (libc::SYS_clone, clone(libc::CLONE_NEWNET)),
        (libc::SYS_ptrace, "0, 0, 0, 0".into()),
        (libc::SYS_process_vm_readv, "1, 0, 0, 0, 0, 0".into()),
        (libc::SYS_pidfd_getfd, "0, 0, 0".into()),
        (libc::SYS_bpf, "0, 0, 0".into()),
        (libc::SYS_perf_event_open, "0, 0, 0, 0, 0".into()),
        (libc::SYS_keyctl, "0, -3, 0".into()),
        (libc::SYS_userfaultfd, "0".into()),
        (libc::SYS_open_by_handle_at, "0, 0, 0".into()),
        (libc::SYS_reboot, "0, 0, 0, 0".into()),
        (libc::SYS_sethostname, "b'x', 1".into()),
        (libc::SYS_init_module, "0, 0, b''".into()),
        (libc::SYS_kexec_load, "0, 0, 0, 0".into()),
        (libc::SYS_personality, "0x0400000".into()),
        (libc::SYS_mknodat, format!("-100, b'/tmp/null', {}, 0x103", libc::S_IFCHR | 0o666)),
        (libc::SYS_mknodat, format!("-100, b'/tmp/disk', {}, 0x800", libc::S_IFBLK | 0o666)),
        (libc::SYS_socket, socket(libc::AF_PACKET, 0)),
        (libc::SYS_socket, socket(libc::AF_VSOCK, 0)),
        (libc::SYS_socket, socket(libc::AF_ALG, 0)),
        (libc::SYS_socket, socket(libc::AF_NETLINK, libc::NETLINK_NETFILTER)),
        // The upper half of a register is not looked at by the kernel.
        (libc::SYS_socket, format!("{}, {}, 0", (1_i64 << 32) | i64::from(libc::AF_VSOCK), libc::SOCK_STREAM)),
        (libc::SYS_ioctl, format!("1, {}, b'x'", libc::TIOCSTI)),
        (libc::SYS_setuid, "0".into()),
        (libc::SYS_setgroups, "1, b'\\0\\0\\0\\0'".into()),
    ];
    let calls: Vec<_> = refused.iter().map(|(number, arguments)| (*number, arguments.as_str())).collect();
    for (errno, call) in errnos(&calls).into_iter().zip(&calls) {
        assert_eq!(errno, libc::EPERM, "{call:?}");
    }
    let absent = [(libc::SYS_clone3, "0, 0"), (libc::SYS_io_uring_setup, "1, 0")];
    assert_eq!(errnos(&absent), [libc::ENOSYS, libc::ENOSYS]);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_second_set_of_numbers_is_no_way_around() {
    let x32 = [(libc::SYS_mount | 0x4000_0000, "b'none', b'/tmp', b'tmpfs', 0, 0")];
    assert_eq!(errnos(&x32), [libc::ENOSYS]);
}

#[test]
fn ordinary_system_calls_work() {
    let allowed = [
        (libc::SYS_socket, format!("{}, {}, 0", libc::AF_INET, libc::SOCK_STREAM)),
        (libc::SYS_socket, format!("{}, {}, 0", libc::AF_UNIX, libc::SOCK_STREAM)),
        (libc::SYS_socket, format!("{}, {}, {}", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)),
        (libc::SYS_mknodat, format!("-100, b'/tmp/fifo', {}, 0", libc::S_IFIFO | 0o600)),
        (libc::SYS_personality, "0xffffffff".into()),
        (libc::SYS_memfd_create, "b'x', 0".into()),
    ];
    let calls: Vec<_> = allowed.iter().map(|(number, arguments)| (*number, arguments.as_str())).collect();
    for (errno, call) in errnos(&calls).into_iter().zip(&calls) {
        assert_eq!(errno, 0, "{call:?}");
    }
}

#[test]
fn the_hosts_abstract_sockets_are_out_of_reach() {
    if !is_root() {
        return;
    }
    let name = format!("sandbox-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("address");
    let _listener = UnixListener::bind_addr(&address).expect("listen");
    let script = format!(
        "
import socket
try:
    socket.socket(socket.AF_UNIX).connect('\\0{name}')
    print('connected')
except PermissionError:
    print('refused')
inside = socket.socket(socket.AF_UNIX)
inside.bind('\\0inside-{name}')
inside.listen()
socket.socket(socket.AF_UNIX).connect('\\0inside-{name}')
"
    );
    let scoped = sandbox::probe().iter().any(|capability| {
        let abi = capability.detail.strip_prefix("ABI ").and_then(|abi| abi.parse::<u32>().ok());
        capability.name == "landlock" && abi.is_some_and(|abi| abi >= 6)
    });
    assert_eq!(output(&python(&script)), if scoped { "refused\n" } else { "connected\n" });
}

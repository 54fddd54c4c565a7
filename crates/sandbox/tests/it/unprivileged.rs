//! A caller without root: Landlock, seccomp and limits only.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use sandbox::{Access, Exit, Spec};

use crate::{Ended, is_root, mount, shell, start_by};

const NOBODY: &str = "65534";

fn as_nobody(binary: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(binary);
    command
}

/// Runs as somebody who is not root; who is root is made so first.
fn run(spec: &Spec) -> Ended {
    let built = Path::new(env!("CARGO_BIN_EXE_sandbox-run"));
    if !is_root() {
        return start_by(Command::new(built), spec).finish();
    }
    // The build may be where only root can go.
    let dir = world_readable();
    let binary = dir.path().join("sandbox-run");
    fs::copy(built, &binary).expect("copy");
    start_by(as_nobody(&binary), spec).finish()
}

fn world_readable() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    dir
}

#[test]
fn landlock_takes_the_place_of_mounts() {
    let (writable, read_only, neighbour) = (world_readable(), world_readable(), world_readable());
    for dir in [&writable, &read_only, &neighbour] {
        fs::write(dir.path().join("file"), "content\n").expect("write");
        fs::set_permissions(dir.path().join("file"), fs::Permissions::from_mode(0o666)).expect("chmod");
        if is_root() {
            chown(dir.path(), Some(65534), Some(65534)).expect("chown");
        }
    }
    let script = format!(
        "
rw={} ro={} other={}
for file in $rw/file $ro/file $other/file /etc/passwd /etc/fstab /sys/kernel/mm/transparent_hugepage/enabled; do
  cat $file >/dev/null 2>&1 && echo read $file
done
for file in $rw/new $ro/new $other/new $rw/file $ro/file $other/file /dev/null; do
  (echo x > $file) 2>/dev/null && echo write $file
done
ls / >/dev/null 2>&1 && echo listed
true",
        writable.path().display(),
        read_only.path().display(),
        neighbour.path().display()
    );
    let mut spec = shell(&script);
    spec.cwd = writable.path().into();
    spec.mounts.push(mount(writable.path(), &writable.path().display().to_string(), Access::ReadWrite));
    spec.mounts.push(mount(read_only.path(), &read_only.path().display().to_string(), Access::ReadOnly));
    // Some /tmp is the caller's decision, too; all three directories are in the real one.
    spec.mounts.push(mount(writable.path(), "/tmp", Access::ReadWrite));
    let ended = run(&spec);
    let (rw, ro) = (writable.path().display(), read_only.path().display());
    let expected =
        format!("read {rw}/file\nread {ro}/file\nread /etc/passwd\nwrite {rw}/new\nwrite {rw}/file\nwrite /dev/null\n");
    assert_eq!(ended.stdout, expected, "{}", ended.stderr);
    assert_eq!(ended.exit, Some(Exit::Code(0)));
}

#[test]
fn the_rest_holds_as_well() {
    let script = "
import ctypes, os
status = open('/proc/self/status').read()
print([line.split()[1] for line in status.splitlines() if line.startswith(('NoNewPrivs', 'Seccomp:', 'CapEff'))])
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), ctypes.get_errno())
try:
    print(open(f'/proc/{os.getppid()}/environ').read())
except PermissionError:
    print('refused')
";
    let mut spec = crate::python(script);
    spec.limits.nofile = Some(100);
    spec.cgroup = Some("sandbox-test-never-made".into());
    let ended = run(&spec);
    assert_eq!(ended.stdout, "['0000000000000000', '1', '2']\n-1 1\nrefused\n", "{}", ended.stderr);
}

#[test]
fn ends_with_all_it_started() {
    let ended =
        run(&shell("setsid sh -c 'trap \"\" TERM HUP; (sleep 1000 & sleep 1000)' & sleep 1000 & kill -USR1 $$"));
    assert_eq!(ended.exit, Some(Exit::Signal(10)));
}

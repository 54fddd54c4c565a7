//! Cgroups: limits, counting, killing.

use std::ops::Deref;
use std::process;

use sandbox::Exit;
use sandbox::cgroup::{Cgroup, Error, Limits, OutOfMemory};

use crate::{is_root, output, python, run, shell, spec, start, wait_until};

/// A group with a name of its own, killed and removed when dropped.
pub(crate) struct Group(Cgroup);

impl Group {
    pub(crate) fn new(name: &str, limits: &Limits) -> Self {
        Self(Cgroup::create(&format!("sandbox-test-{}-{name}", process::id()), limits).expect("create"))
    }
}

impl Deref for Group {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.remove();
    }
}

#[test]
fn a_group_comes_and_goes() {
    if !is_root() {
        return;
    }
    let parent = Group::new("comes", &Limits::default());
    let name = format!("{}/a", parent.name());
    assert!(!Cgroup::exists(&name));
    assert!(matches!(Cgroup::open(&name), Err(Error::NotFound(_))));
    let (pids, cpu_weight, cpu_percent) = (Some(8), Some(50), Some(150));
    let limits = Limits { memory_bytes: Some(64 << 20), pids, cpu_weight, cpu_percent, ..Limits::default() };
    let group = Cgroup::create(&name, &limits).expect("create");
    // Again, with more and with less.
    Cgroup::create(&name, &Limits { memory_bytes: Some(128 << 20), ..limits.clone() }).expect("more");
    Cgroup::create(&name, &limits).expect("less");
    Cgroup::create(&format!("{}/b", parent.name()), &Limits::default()).expect("create");
    assert_eq!(Cgroup::list(parent.name()).expect("list"), [name.clone(), format!("{}/b", parent.name())]);
    assert!(group.processes().expect("processes").is_empty());
    assert_eq!(group.stats().pids, Some(0));
    group.kill().expect("nothing to kill");
    group.remove().expect("remove");
    assert!(!Cgroup::exists(&name));
    group.remove().expect("remove what is gone");
}

#[test]
fn a_group_yields_until_it_is_told_otherwise() {
    if !is_root() {
        return;
    }
    let group = Group::new("yields", &Limits { cpu_weight: Some(50), ..Limits::default() });
    let can = sandbox::probe().into_iter().any(|it| it.name == "cpu_yielding" && it.enabled);
    group.set_idle(true, 50).expect("yield");
    assert_eq!(group.is_idle(), can);
    group.set_idle(false, 50).expect("no more");
    assert!(!group.is_idle());
    group.set_idle(true, 50).expect("yield");
    Cgroup::create(group.name(), &Limits { cpu_weight: Some(70), ..Limits::default() }).expect("anew");
    assert!(!group.is_idle());
}

#[test]
fn names_stay_inside() {
    for name in ["", "/a", "a/", "../a", "a/../b", "a//b", ".a", "a b", "a\n"] {
        assert!(matches!(Cgroup::create(name, &Limits::default()), Err(Error::Name(_))), "{name:?}");
    }
}

#[test]
fn a_process_is_counted() {
    if !is_root() {
        return;
    }
    let group = Group::new("counted", &Limits { memory_bytes: Some(256 << 20), ..Limits::default() });
    let mut spec = python("x = bytearray(50 << 20); print('ready', flush=True); __import__('signal').pause()");
    spec.cgroup = Some(group.name().into());
    let mut running = start(&spec);
    assert_eq!(running.line(), "ready");
    // The init is not of the group.
    assert_eq!(group.processes().expect("processes").len(), 1);
    let stats = group.stats();
    assert_eq!(stats.pids, Some(1));
    assert!(stats.memory_bytes.is_some_and(|bytes| (50 << 20..200 << 20).contains(&bytes)), "{stats:?}");
    assert!(stats.cpu_usec.is_some_and(|usec| usec > 0), "{stats:?}");
    assert!(matches!(group.remove(), Err(Error::Busy(_))));
    running.signal(15);
    assert_eq!(running.finish().exit, Some(Exit::Signal(15)));
    wait_until("it is gone", || group.processes().expect("processes").is_empty());
}

#[test]
fn a_fork_bomb_is_contained() {
    if !is_root() {
        return;
    }
    let group = Group::new("fork", &Limits { pids: Some(20), ..Limits::default() });
    let script = "
import os, signal
count = 0
while True:
    try:
        pid = os.fork()
    except OSError as error:
        print(count, error.errno, flush=True)
        signal.pause()
    if pid == 0:
        signal.pause()
    count += 1
";
    let mut spec = python(script);
    spec.cgroup = Some(group.name().into());
    let running = start(&spec);
    assert_eq!(running.line(), format!("19 {}", libc::EAGAIN));
    assert_eq!(group.processes().expect("processes").len(), 20);
    assert_eq!(output(&spec_outside()), "fine\n");
    group.kill().expect("kill");
    assert_eq!(running.finish().exit, Some(Exit::Signal(9)));
}

fn spec_outside() -> sandbox::Spec {
    shell("echo fine")
}

#[test]
fn too_much_memory_ends_the_program_only() {
    if !is_root() {
        return;
    }
    let group = Group::new("memory", &Limits { memory_bytes: Some(48 << 20), ..Limits::default() });
    let mut spec = python("x = []\nwhile True: x.append(bytearray(1 << 20))");
    spec.cgroup = Some(group.name().into());
    assert_eq!(run(&spec).exit, Some(Exit::Signal(9)));
    assert_eq!(group.oom_kills(), 1);
    assert_eq!(output(&spec_outside()), "fine\n");
}

#[test]
fn too_much_memory_may_end_one_program_of_several() {
    if !is_root() {
        return;
    }
    let limits = Limits { memory_bytes: Some(48 << 20), out_of_memory: OutOfMemory::EndsOne, ..Limits::default() };
    let group = Group::new("memory-of-one", &limits);
    let mut spec = shell("python3 -c 'x = []\nwhile True: x.append(bytearray(1 << 20))'; echo ended $?");
    spec.cgroup = Some(group.name().into());
    assert_eq!(output(&spec), "ended 137\n");
}

#[test]
fn kill_finds_everybody() {
    if !is_root() {
        return;
    }
    let parent = Group::new("kill", &Limits { pids: Some(200), ..Limits::default() });
    let group = Cgroup::create(&format!("{}/inner", parent.name()), &Limits::default()).expect("create");
    // Every process leaves its session and its parent, ignores what can be ignored, and some fork on.
    let script = "
trap '' TERM HUP INT
i=0
while [ $i -lt 20 ]; do
  setsid sh -c 'trap \"\" TERM HUP; (sleep 1000 & sleep 1000 &) ; while :; do (:); done' &
  i=$((i+1))
done
echo ready
wait
";
    let mut spec = shell(script);
    spec.cgroup = Some(group.name().into());
    let running = start(&spec);
    assert_eq!(running.line(), "ready");
    wait_until("all of them run", || group.processes().expect("processes").len() >= 61);
    parent.kill().expect("kill");
    assert!(parent.processes().expect("processes").is_empty());
    assert_eq!(running.finish().exit, Some(Exit::Signal(9)));
    parent.remove().expect("remove with what is below");
    assert!(!Cgroup::exists(group.name()));
}

#[test]
fn probe_tries_and_leaves_nothing() {
    let found = sandbox::probe();
    let names: Vec<_> = found.iter().map(|capability| capability.name).collect();
    let expected = [
        "memory_limit",
        "cpu_weight",
        "pids_limit",
        "cpu_yielding",
        "own_uid",
        "mount_namespace",
        "pid_namespace",
        "ipc_namespace",
        "network_namespace",
        "landlock",
        "seccomp",
        "no_new_privs",
    ];
    assert_eq!(names, expected);
    assert!(found.iter().all(|capability| !capability.detail.is_empty()), "{found:?}");
    if is_root() {
        let missing: Vec<_> = found.iter().filter(|capability| !capability.enabled).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    assert!(!Cgroup::exists(&format!("sandbox-probe-{}-0", process::id())));
    assert_eq!(output(&spec(["true"])), "");
}

#[test]
fn a_group_that_was_given_away_has_groups_of_ours_in_it() {
    if !is_root() {
        return;
    }
    let given = Group::new("given", &Limits::default());
    let limits = Limits { pids: Some(20), ..Limits::default() };
    if !Cgroup::is_unified() {
        assert!(matches!(Cgroup::create_in(given.name(), "process", &limits), Err(Error::Unsupported)));
        return;
    }
    let mut inside = process::Command::new("sleep").arg("1000").spawn().expect("start");
    let members = format!("/sys/fs/cgroup/{}/cgroup.procs", given.name());
    std::fs::write(members, inside.id().to_string()).expect("join");
    let group = Cgroup::create_in(given.name(), "process", &limits).expect("create");
    assert_eq!(group.name(), format!("{}/process", given.name()));
    let mut spec = shell("cat /proc/self/cgroup");
    spec.cgroup = Some(group.name().into());
    assert!(output(&spec).contains(group.name()));
    let all = given.processes().expect("processes");
    assert_eq!(all, [i32::try_from(inside.id()).expect("small")], "moved aside, and still in it");
    given.kill().expect("kill");
    inside.wait().expect("wait");
}

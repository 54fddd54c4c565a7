//! Starting, talking to and ending one process.

use std::fs;
use std::process::Command;

use sandbox::{Access, Error, Exit, Network};

use crate::{directory, is_root, mount, output, python, run, shell, spec, start, wait_until};

#[test]
fn exits_are_true() {
    for (script, expected) in [
        ("exit 0", Exit::Code(0)),
        ("exit 7", Exit::Code(7)),
        ("exit 255", Exit::Code(255)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -KILL $$", Exit::Signal(9)),
        ("kill -SEGV $$", Exit::Signal(11)),
        // A child's end is not the program's.
        ("(exit 3); sh -c 'kill -9 $$'; exit 4", Exit::Code(4)),
    ] {
        assert_eq!(run(&shell(script)).exit, Some(expected), "{script}");
    }
}

#[test]
fn what_cannot_start_is_told_apart() {
    if !is_root() {
        return;
    }
    let dir = directory();
    let script = dir.path().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").expect("write");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    let with_dir = |argv| {
        let mut spec = spec([argv]);
        spec.mounts.push(mount(dir.path(), "/place", Access::ReadOnly));
        spec
    };
    let mut no_directory = spec(["true"]);
    no_directory.cwd = "/no/where".into();
    let mut no_source = spec(["true"]);
    no_source.mounts.push(mount(&dir.path().join("missing"), "/place", Access::ReadOnly));
    let mut no_group = spec(["true"]);
    no_group.cgroup = Some("sandbox-test-never-made".into());

    for (spec, expected) in [
        (spec(["no-such-program"]), "program no-such-program not found".to_owned()),
        (spec(["/no/such/program"]), "program /no/such/program not found".to_owned()),
        (spec(["/usr"]), "execute /usr: Permission denied".to_owned()),
        (with_dir("/place/script"), "execute /place/script: No such file".to_owned()),
        (no_directory, "enter /no/where: No such file".to_owned()),
        (no_source, format!("mount {}: No such file", dir.path().join("missing").display())),
        (no_group, "join cgroup: no cgroup sandbox-test-never-made".to_owned()),
    ] {
        let ended = run(&spec);
        assert_eq!(ended.exit, None, "{expected}");
        assert!(ended.stderr.starts_with(&expected), "{} is not {expected}", ended.stderr);
    }
}

#[test]
fn contradictions_are_refused() {
    let mut root = spec(["true"]);
    root.identity = Some(sandbox::Identity { uid: 0, gid: 1 });
    let mut name = spec(["true"]);
    name.user_name = "x:0:0".into();
    let mut target = spec(["true"]);
    target.mounts.push(mount("/usr".as_ref(), "/../x", Access::ReadOnly));
    let mut nul = spec(["true"]);
    nul.env.push(("A".into(), "b\0c".into()));
    for (spec, expected) in [
        (root, "identity is root"),
        (name, "user name"),
        (target, "path \"/../x\""),
        (nul, "environment variable \"A\""),
        (spec([]), "argv names no program"),
    ] {
        // Before anything else, so that it can be asked from here in spite of our threads.
        let error = sandbox::spawn(&spec).expect_err(expected);
        assert!(matches!(&error, Error::Invalid(text) if text.starts_with(expected)), "{error:?}");
    }
}

#[test]
fn a_process_with_threads_cannot_spawn() {
    assert!(matches!(sandbox::spawn(&spec(["true"])), Err(Error::Threads(2..))));
}

#[test]
fn environment_is_exact() {
    let mut spec = spec(["/usr/bin/env", "-0"]);
    spec.env = vec![
        ("PLAIN".into(), "a b".into()),
        ("LINES".into(), "one\ntwo\n\n".into()),
        ("QUOTES".into(), r#"'"\ $(id) `id` $HOME"#.into()),
        ("UNICODE".into(), "żółć 日本 🦀".into()),
        ("EMPTY".into(), String::new()),
        ("EQUALS".into(), "a=b=c".into()),
    ];
    let expected: String = spec.env.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    assert_eq!(output(&spec), expected);
}

#[test]
fn arguments_are_exact() {
    let argv = ["/usr/bin/printf", "%s|", "a b", "", "$HOME 'x' \"y\"", "new\nline"];
    assert_eq!(output(&spec(argv)), "a b||$HOME 'x' \"y\"|new\nline|");
}

#[test]
fn starts_with_nothing_of_its_caller() {
    let script = "
import os, signal
print(sorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')))
print(os.read(0, 1), os.getsid(0) == os.getpid())
print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
ignored = [s for s in range(1, 65) if int([l for l in open('/proc/self/status') if l.startswith('SigIgn')][0].split()[1], 16) >> (s - 1) & 1]
print([s for s in ignored if s not in (signal.SIGPIPE, signal.SIGXFSZ)])
";
    // Python ignores SIGPIPE and SIGXFSZ by itself.
    assert_eq!(output(&python(script)), "[0, 1, 2]\nb'' True\nset()\n[]\n");
    assert_eq!(output(&shell("grep SigIgn /proc/self/status")), "SigIgn:\t0000000000000000\n");
}

#[test]
fn output_can_be_opened_by_name() {
    let ended = run(&shell("echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin; echo gone > /dev/null"));
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn limits_and_umask_are_set() {
    let mut spec = shell("ulimit -n; ulimit -Hn; ulimit -c; ulimit -f; umask; touch file; stat -c %a file");
    spec.limits.nofile = Some(321);
    spec.limits.fsize = Some(1 << 20);
    spec.umask = 0o077;
    // The shell counts file sizes in blocks of 512 bytes.
    assert_eq!(output(&spec), "321\n321\n0\n2048\n0077\n600\n");

    let mut spec = shell("ulimit -Hn");
    spec.limits.nofile = Some(u64::MAX - 1);
    let inherited = Command::new("sh").args(["-c", "ulimit -Hn"]).output().expect("ulimit").stdout;
    assert_eq!(output(&spec).as_bytes(), inherited);
}

#[test]
fn signals_reach_the_program() {
    let mut running = start(&shell("trap 'echo got; exit 5' TERM; sleep 1000 & echo ready; wait"));
    assert_eq!(running.line(), "ready");
    running.signal(15);
    assert_eq!(running.line(), "got");
    assert_eq!(running.finish().exit, Some(Exit::Code(5)));
}

#[test]
fn kill_is_reported_as_such() {
    let mut running = start(&shell("trap '' TERM; echo ready; while :; do :; done"));
    assert_eq!(running.line(), "ready");
    running.signal(15);
    running.signal(9);
    assert_eq!(running.finish().exit, Some(Exit::Signal(9)));
}

#[test]
fn orphans_are_reaped() {
    let script = "
i=0
while [ $i -lt 20 ]; do setsid sh -c 'true & true &' & i=$((i+1)); done
wait
until [ -z \"$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null)\" ]; do :; done
echo clean
";
    assert_eq!(output(&shell(script)), "clean\n");
}

#[test]
fn what_is_left_dies_with_the_program() {
    // They hold the output open: the run would not end before them.
    let ended = run(&shell("setsid sh -c 'trap \"\" TERM HUP; sleep 1000' & sleep 1000 & nohup sleep 1000 & exit 3"));
    assert_eq!(ended.exit, Some(Exit::Code(3)));
}

#[test]
fn the_program_outlives_its_parent() {
    if !is_root() {
        return;
    }
    let dir = directory();
    let mut spec = shell("trap 'echo alive > file; exit' USR1; sleep 1000 & echo $$ > ready; wait");
    spec.cwd = "/place".into();
    spec.mounts.push(mount(dir.path(), "/place", Access::ReadWrite));
    let group = crate::groups::Group::new("outlives", &sandbox::cgroup::Limits::default());
    spec.cgroup = Some(group.name().into());

    let mut running = start(&spec);
    wait_until("it runs", || fs::read_to_string(dir.path().join("ready")).is_ok_and(|text| text == "2\n"));
    running.process.kill().expect("kill the parent");
    running.process.wait().expect("reap the parent");
    let program = group.processes().expect("processes").into_iter().min().expect("still there");
    assert!(Command::new("kill").args(["-USR1", &program.to_string()]).status().expect("kill").success());
    wait_until("it answers", || fs::read_to_string(dir.path().join("file")).is_ok_and(|text| text == "alive\n"));
    wait_until("all of it ends", || group.processes().expect("processes").is_empty());
}

#[test]
fn joins_a_running_sandbox() {
    if !is_root() {
        return;
    }
    let mut first = shell("echo made > /tmp/file; echo $$; sleep 600");
    first.network = Network::Own { sockets: None, ports: Vec::new(), link: None };
    let mut running = start(&first);
    let inside = running.line();
    let init = init_of(&running);
    let mut second = shell("cat /tmp/file; test -d /proc/$1 && echo sees it; readlink /proc/self/ns/net");
    second.argv.extend(["sh".into(), inside.clone()]);
    second.join = Some(init);
    let said = output(&second);
    let host = std::fs::read_link("/proc/self/ns/net").expect("namespace");
    assert!(said.starts_with("made\nsees it\nnet:["), "{said}");
    assert!(!said.contains(&*host.to_string_lossy()), "in the sandbox's network: {said}");
    running.signal(9);
    running.finish();
    second.join = Some(init);
    assert!(run(&second).exit.is_none(), "the sandbox is gone");
}

#[test]
fn kill_takes_the_group_with_it_in_a_sandbox_that_was_joined() {
    if !is_root() {
        return;
    }
    let holder = start(&shell("echo up; sleep 600"));
    assert_eq!(holder.line(), "up");
    let mut joining = shell("sh -c 'sleep 100 & wait' & echo ready; wait");
    joining.join = Some(init_of(&holder));
    let mut running = start(&joining);
    assert_eq!(running.line(), "ready");
    running.signal(9);
    // They hold the output open: the run would not end before them.
    assert_eq!(running.finish().exit, Some(Exit::Signal(9)));
}

/// The init under a `sandbox-run`: its only child.
fn init_of(running: &crate::Running) -> i32 {
    let pid = running.process.id();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("children");
    children.trim().parse().expect("one child")
}

#[test]
fn a_trusted_program_keeps_its_callers_rights() {
    if !is_root() {
        return;
    }
    let mut spec = shell("id -u; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status");
    spec.trusted = true;
    assert!(run(&spec).stderr.contains("nothing of a sandbox's"));
    spec.identity = None;
    let said = output(&spec);
    let own = std::fs::read_to_string("/proc/self/status").expect("status");
    let own = own.lines().find(|line| line.starts_with("CapEff")).expect("capabilities");
    assert_eq!(said.lines().collect::<Vec<_>>(), ["0", own, "NoNewPrivs:\t0"]);
}

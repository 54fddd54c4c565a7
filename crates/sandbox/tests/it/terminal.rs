use super::*;

const SIZE: WindowSize = WindowSize { rows: 24, columns: 80 };

fn on_terminal(script: &str) -> Spec {
    Spec { terminal: Some(SIZE), ..shell(script) }
}

impl Running {
    fn type_in(&mut self, text: &str) {
        writeln!(self.stdin, "type {}", serde_json::json!(text)).expect("type");
    }

    /// Waits for a line that ends with this; what was typed may stand before it.
    fn wait_for(&self, end: &str) {
        while !self.line().ends_with(end) {}
    }
}

#[test]
fn it_is_the_sessions_own_and_has_its_name_inside() {
    let ended = run(&on_terminal(
        "stty size; tty; stty size </dev/tty; test -t 0 && test -t 2 && echo three; stat -c %U $(tty); \
         stty -a | grep -o ' iutf8'; ps -o tpgid= -o pgid= -p $$ | tr -s ' '",
    ));
    let lines = ended.stdout.lines().map(str::trim).collect::<Vec<_>>();
    assert_eq!(lines[..6], ["24 80", "/dev/pts/0", "24 80", "three", "app", "iutf8"], "{}", ended.stdout);
    let groups = lines[6].split(' ').collect::<Vec<_>>();
    assert_eq!(groups[0], groups[1], "it is in the foreground");
    assert_eq!(ended.exit, Some(Exit::Code(0)));
}

#[test]
fn what_is_typed_arrives_and_signals_come_from_keys() {
    let mut running =
        start(&on_terminal("trap 'echo caught' INT; echo ready; while read line; do echo \"<$line>\"; done; sleep 60"));
    running.wait_for("ready");
    running.type_in("h\u{e4}llo\u{fc}\u{7f}\n");
    running.wait_for("<h\u{e4}llo>");
    running.type_in("\u{3}");
    running.wait_for("caught");
    // The end of the input, and of what is then in the foreground.
    running.type_in("\u{4}");
    running.type_in("\u{1c}");
    let ended = running.finish();
    assert!(ended.exit.is_some_and(|exit| exit != Exit::Code(0)), "{:?}", ended.exit);
}

#[test]
fn another_size_is_told() {
    let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut running = start(&on_terminal(script));
    running.wait_for("ready");
    writeln!(running.stdin, "resize 50 132").expect("resize");
    running.wait_for("50 132");
    running.signal(libc::SIGKILL);
    assert_eq!(running.finish().exit, Some(Exit::Signal(libc::SIGKILL)));
}

/// Two of them in the sandbox of a third process: each has its own, and they see each other's processes.
#[test]
fn terminals_of_one_sandbox_share_its_world() {
    let holder = start(&shell("echo here > /tmp/file; echo up; sleep 1000"));
    holder.wait_for("up");
    let children = format!("/proc/{0}/task/{0}/children", holder.process.id());
    let init = std::fs::read_to_string(children).expect("its children");
    let join = init.trim().parse().ok();
    assert!(join.is_some(), "{init}");
    let mut first = start(&Spec { join, ..on_terminal("tty; cat /tmp/file; read x") });
    first.wait_for("/dev/pts/0");
    first.wait_for("here");
    let second = run(&Spec { join, ..on_terminal("tty; pgrep -c sleep; echo there >/tmp/file") });
    assert_eq!(second.stdout.lines().map(str::trim).collect::<Vec<_>>(), ["/dev/pts/1", "1"], "{}", second.stderr);
    first.type_in("\n");
    assert_eq!(first.finish().exit, Some(Exit::Code(0)));
}

/// Nobody else's, whoever asks.
#[test]
fn the_machines_own_terminals_are_out_of_reach() {
    let script = "ls -1 /dev/pts; ls -l /dev/console 2>&1 | tail -1; python3 - <<'END'\n\
import fcntl\n\
try: fcntl.ioctl(0, 0x5412, b'x')\n\
except OSError as error: print(error.errno)\n\
END";
    let ended = run(&on_terminal(script));
    let lines = ended.stdout.lines().map(str::trim).collect::<Vec<_>>();
    assert_eq!(lines[..2], ["0", "ptmx"], "{}", ended.stdout);
    assert!(lines[2].contains("No such file"), "{}", ended.stdout);
    assert_eq!(lines.last(), Some(&"1"), "typing into a terminal is refused");
}

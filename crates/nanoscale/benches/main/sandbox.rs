//! What the sandbox costs: its start beside other sandboxes, and what runs inside beside the same outside.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use edge::Origin;
use sandbox::cgroup::{Cgroup, Limits};
use sandbox::{Access, Exit, Identity, Mount, Network, Rlimits, Spec};
use serde::{Deserialize, Serialize};

use crate::docker::Docker;
use crate::proxy::{self, Peer};
use crate::{Row, median, percentile, times};

/// Of the sandbox's user; nobody has it.
const USER: u32 = 61_235;
const TRUE: &str = "/bin/true";
/// A second or less of one core.
const LOOP: &str = "sum(i * i % 7 for i in range(4_000_000))";
const PATIENCE: Duration = Duration::from_secs(20);

/// What to run, how often.
#[derive(Serialize, Deserialize)]
struct Request {
    spec: Spec,
    limits: Limits,
    times: usize,
}

pub(crate) fn measure() -> Vec<Row> {
    let mut rows = starts();
    rows.push(docker());
    rows.push(processor());
    rows.push(requests());
    rows
}

/// This program again, as what starts something in our sandbox: it has no other thread, as that needs.
/// Tells how many milliseconds each start took, to the end and with the removal of the group.
pub(crate) fn serve(request: &str) {
    let request: Request = serde_json::from_str(request).unwrap();
    for _ in 0..request.times {
        let began = Instant::now();
        let group = Cgroup::create(request.spec.cgroup.as_deref().unwrap(), &request.limits).unwrap();
        let child = sandbox::spawn(&request.spec).unwrap();
        let exit = child.wait().unwrap();
        group.remove().unwrap();
        if request.times > 1 {
            println!("{}", milliseconds(began));
        }
        // An app is killed when it has been measured.
        assert!(matches!(exit, Exit::Code(0) | Exit::Signal(9)), "{exit:?}");
    }
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn spec(argv: &[&str], network: Network, mounts: Vec<Mount>, env: &[(&str, &str)]) -> Spec {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Spec {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        env: env.iter().chain(&[("PATH", "/usr/bin:/bin"), ("HOME", "/tmp")]).map(pair).collect(),
        cwd: "/tmp".into(),
        identity: Some(Identity { uid: USER, gid: USER }),
        mounts,
        files: Vec::new(),
        network,
        join: None,
        trusted: false,
        cgroup: Some(group()),
        terminal: None,
        limits: Rlimits { nofile: Some(20_000), ..Rlimits::default() },
        umask: 0o027,
        user_name: "app".into(),
        home: "/tmp".into(),
    }
}

fn group() -> String {
    format!("nanoscale-bench-{}", std::process::id())
}

fn alone() -> Network {
    Network::Own { sockets: None, ports: Vec::new(), link: None }
}

/// As an app is limited by default.
fn limits() -> Limits {
    Limits { memory_bytes: Some(512 << 20), pids: Some(512), cpu_weight: Some(100), ..Limits::default() }
}

fn ours(spec: Spec, times: usize) -> Command {
    let request = Request { spec, limits: limits(), times };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--as-sandbox", &serde_json::to_string(&request).unwrap()]);
    command
}

fn bubblewrap() -> Command {
    let mut command = Command::new("bwrap");
    command.args("--unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp".split(' ')).arg(TRUE);
    command
}

fn timed(mut command: Command) -> f64 {
    let began = Instant::now();
    let status = command.status().unwrap();
    let took = milliseconds(began);
    assert!(status.success(), "{command:?}: {status}");
    took
}

fn both(values: &[f64]) -> String {
    format!("{:.1} / {:.1} ms", median(values.to_vec()), percentile(values.to_vec(), 99))
}

fn row(what: impl Into<String>, value: String) -> Row {
    Row { what: what.into(), value, budget: "" }
}

/// From the start of a program that does nothing until it has ended.
fn starts() -> Vec<Row> {
    let here = Path::new("/run/systemd/system").exists();
    let confined = || spec(&[TRUE], alone(), Vec::new(), &[]);
    let (mut plain, mut wrapped, mut confined_starts, mut units) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times(200) {
        plain.push(timed(Command::new(TRUE)));
        wrapped.push(timed(bubblewrap()));
        confined_starts.push(timed(ours(confined(), 1)));
        if here {
            let mut unit = Command::new("systemd-run");
            unit.args(["--quiet", "--wait", "--pipe", TRUE]);
            units.push(timed(unit));
        }
    }
    let told = ours(confined(), times(200).max(2)).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let told = String::from_utf8(told.stdout).unwrap();
    let inner = told.lines().map(|line| line.parse().unwrap()).collect::<Vec<f64>>();
    let ratio = median(confined_starts.clone()) / median(wrapped.clone());
    vec![
        row("`true` from start to end, p50 / p99 of 200: without a sandbox", both(&plain)),
        row("… in bubblewrap (`--unshare-all`; no cgroup, seccomp, Landlock or user)", both(&wrapped)),
        row(
            "… in our sandbox, started by a program of its own as bubblewrap is",
            format!("{}: {ratio:.2} × bubblewrap", both(&confined_starts)),
        ),
        row("… in our sandbox, started by a running process", both(&inner)),
        row(
            "… as a systemd transient unit (`systemd-run --wait --pipe`)",
            if here { both(&units) } else { "not here: systemd is not this machine's init".into() },
        ),
    ]
}

fn docker() -> Row {
    let value = match Docker::start() {
        Ok(docker) => both(&(0..times(20)).map(|_| timed(docker.run())).collect::<Vec<_>>()),
        Err(reason) => format!("not here: {reason}"),
    };
    row("… in a container (`docker run --rm --network none`, 20 times)", value)
}

/// Of what needs nothing but the processor.
fn processor() -> Row {
    let plain = || {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", LOOP]);
        command
    };
    let confined = || ours(spec(&["/usr/bin/python3", "-c", LOOP], alone(), Vec::new(), &[]), 1);
    let (mut outside, mut inside) = (Vec::new(), Vec::new());
    for _ in 0..times(20) {
        outside.push(timed(plain()));
        inside.push(timed(confined()));
    }
    let (outside, inside) = (median(outside), median(inside));
    row(
        "a loop of Python in our sandbox, beside the same outside, wall time, median of 20",
        format!("{inside:.0} ms, outside {outside:.0} ms: {:.2} ×", inside / outside),
    )
}

/// An app that ends with this value, and where it listens.
struct App {
    child: Child,
    origin: Origin,
    confined: bool,
}

impl Drop for App {
    fn drop(&mut self) {
        if self.confined {
            // It outlives who started it, who ends with it.
            let _ = Cgroup::open(&group()).and_then(|group| group.kill());
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn outside(app: &Path) -> App {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new("/usr/bin/python3")
        .arg(app.join("main.py"))
        .env("PORT", address.port().to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    App { child, origin: address.into(), confined: false }
}

fn inside(app: &Path, directory: &Path) -> App {
    let sockets = directory.join("sockets");
    let network = Network::Own { sockets: Some(sockets.clone()), ports: Vec::new(), link: None };
    let mounts = vec![Mount { source: app.into(), target: "/app".into(), access: Access::ReadOnly }];
    let spec = spec(&["/usr/bin/python3", "/app/main.py"], network, mounts, &[("PORT", "3000")]);
    let child = ours(spec, 1).spawn().unwrap();
    App { child, origin: Origin::Namespace { sockets, port: 3000 }, confined: true }
}

fn wait_for(edge: &Peer) {
    let deadline = Instant::now() + PATIENCE;
    let answers = || {
        let url = format!("http://{}/", edge.address);
        Command::new("curl").args(["--silent", "--fail", "--output", "/dev/null", &url]).status().unwrap().success()
    };
    while !answers() {
        assert!(Instant::now() < deadline, "the app does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Of the same app behind the same edge.
fn requests() -> Row {
    let directory = tempfile::tempdir().unwrap();
    let app = directory.path().join("app");
    fs::create_dir(&app).unwrap();
    fs::copy(testkit::example("hello-python").join("main.py"), app.join("main.py")).unwrap();
    for (path, mode) in [(directory.path(), 0o755), (&app, 0o755), (&app.join("main.py"), 0o644)] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let mut runs = [Vec::new(), Vec::new()];
    let apps = [inside(&app, directory.path()), outside(&app)];
    let edges = apps.each_ref().map(|app| proxy::edge(&app.origin));
    edges.iter().for_each(wait_for);
    for _ in 0..times(5) {
        for (edge, runs) in edges.iter().zip(&mut runs) {
            runs.push(proxy::run(edge, 4));
        }
    }
    let p99 = runs.each_ref().map(|runs| median(runs.iter().map(|run| run.p99_ms).collect()));
    let rate = runs.each_ref().map(|runs| median(runs.iter().map(|run| run.requests).collect()));
    row(
        "request p99 of a Python app in our sandbox, beside the same outside, both behind our edge, `wrk -c4`, median of 5",
        format!(
            "{:.2} ms, outside {:.2} ms: {:.2} × ({:.0} and {:.0} requests per second)",
            p99[0],
            p99[1],
            p99[0] / p99[1],
            rate[0],
            rate[1]
        ),
    )
}

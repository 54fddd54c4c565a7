//! What the server's process takes, as the kernel counts it.

use std::fs;
use std::time::Duration;

use testkit::TestServer;

fn of(server: &TestServer, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", server.pid().unwrap())).unwrap()
}

/// Time on a processor so far.
fn time(server: &TestServer) -> Duration {
    let stat = of(server, "stat");
    // After the name in parentheses, which may hold anything: state is field 3, utime 14, stime 15 (proc(5)).
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().collect::<Vec<_>>();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Nothing is asked of it for two seconds: it takes little time of a processor then.
pub(crate) async fn assert_idle(server: &TestServer) {
    let (before, pause) = (time(server), Duration::from_secs(2));
    // Not a wait for anything: what is measured is that nothing happens.
    tokio::time::sleep(pause).await;
    let taken = time(server) - before;
    assert!(taken < pause / 4, "{taken:?} of {pause:?} on a processor");
}

/// Bytes of memory.
pub(crate) fn memory(server: &TestServer) -> u64 {
    let status = of(server, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

pub(crate) fn open_files(server: &TestServer) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid().unwrap())).unwrap().count()
}

//! A machine's logs, and what it is, as a shell shows them.

use std::io::{BufRead, BufReader};

use serde_json::json;
use testkit::{PATIENCE, wait_until};

use super::{shell, text};
use crate::server;

#[tokio::test]
async fn logs_and_parts_of_a_machine_from_a_shell() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("cloud-init.log");
    let line = |level: &str, text: &str| format!("2024-06-04 08:22:34,000 - util.py[{level}]: {text}\n");
    std::fs::write(&log, line("INFO", "first") + &line("WARNING", "second") + &line("DEBUG", "third")).unwrap();
    let server = server().config(json!({"machine_logs": {"cloud_init_dir": directory.path()}})).start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let home = shell.home.path();
    let run = async |arguments: &[&str]| text(&shell.run(home, arguments).await);
    let shown = run(&["node", "logs", "--source", "cloud-init"]).await;
    let (first, second) = (shown.find("first").unwrap(), shown.find("second").unwrap());
    assert!(first < second && !shown.contains("third"), "{shown}");
    let shown = run(&["node", "logs", "orchestrator", "--source", "cloud-init", "--level", "warn", "--json"]).await;
    let entry: api::MachineLogEntry = serde_json::from_str(&shown).unwrap();
    assert_eq!((entry.level, entry.metadata["file"].as_str()), (ids::LogLevel::Warn, "cloud-init.log"));
    let shown =
        run(&["node", "logs", "--source", "cloud-init", "--level", "debug", "--search", "THIRD", "-l", "1"]).await;
    assert!(shown.contains("third"), "{shown}");
    let refused = run(&["node", "logs", "--source", "kernel"]).await;
    assert!(refused.contains("docker:<container>"), "{refused}");
    let missing = run(&["node", "logs", "--source", "docker:missing"]).await;
    assert!(missing.contains("docker cannot be read: "), "{missing}");

    let mut command =
        shell.command(home, &["node", "logs", "--source", "cloud-init", "--follow", "--search", "wanted"]);
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let read = tokio::task::spawn_blocking(move || output.lines().next().unwrap().unwrap());
    let mut lines = 0;
    wait_until("it is followed", PATIENCE, async || {
        lines += 1;
        let more = std::fs::read_to_string(&log).unwrap() + &line("INFO", &format!("wanted {lines}"));
        std::fs::write(&log, more).unwrap();
        read.is_finished()
    })
    .await;
    assert!(read.await.unwrap().contains("wanted"));
    child.kill().unwrap();
    child.wait().unwrap();

    let info = run(&["node", "info"]).await;
    for part in ["hostname", "kernel", "memory", "agent", "driver", "docker", "DISK", "NETWORK"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    let info: api::SystemInfo = serde_json::from_str(&run(&["node", "info", "orchestrator", "--json"]).await).unwrap();
    assert_eq!(Some(info.agent.pid), server.pid_of(testkit::Part::Node).or(server.pid()));
}

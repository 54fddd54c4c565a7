//! What this machine is: its parts, its programs, its containers.

mod docker;
mod machine;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::Mutex;
use wire::{AgentInfo, Software, SystemInfo};

use crate::machine_logs::output;
use crate::{MachineConfig, now_ms};

/// An answer is good for so long: several pages that are open ask once.
const FRESH: Duration = Duration::from_secs(5);
/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(3);
/// What builds and drivers use: the program, how to ask it for its version, and what that is called.
const SOFTWARE: [(&str, &str, &str); 9] = [
    ("git", "--version", "git"),
    ("node", "--version", "node"),
    ("python3", "--version", "python3"),
    ("docker", "--version", "docker"),
    ("podman", "--version", "podman"),
    ("go", "version", "go"),
    ("cargo", "--version", "cargo"),
    ("nft", "--version", "nftables"),
    ("systemctl", "--version", "systemd"),
];

pub(crate) struct SystemInfos {
    list_timeout: Duration,
    stats_timeout: Duration,
    started_at_ms: i64,
    /// Held while it is found out, so that those who ask at the same time share the answer.
    last: Mutex<Option<(Instant, SystemInfo)>>,
}

impl SystemInfos {
    pub(crate) fn new(config: &MachineConfig) -> Self {
        Self {
            list_timeout: config.docker_list_timeout,
            stats_timeout: config.docker_stats_timeout,
            started_at_ms: now_ms(),
            last: Mutex::new(None),
        }
    }

    pub(crate) async fn get(&self) -> SystemInfo {
        let mut last = self.last.lock().await;
        if let Some((at, info)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return info.clone();
        }
        let (docker, software, machine) = tokio::join!(
            docker::info(self.list_timeout, self.stats_timeout),
            join_all(SOFTWARE.map(|(program, argument, name)| version(program, argument, name))),
            tokio::task::spawn_blocking(machine::read),
        );
        let info = SystemInfo {
            docker,
            software: software.into_iter().flatten().collect(),
            agent: AgentInfo {
                version: env!("CARGO_PKG_VERSION").into(),
                pid: std::process::id(),
                started_at_ms: self.started_at_ms,
                memory_bytes: machine::own_memory(),
            },
            ..machine.unwrap_or_default()
        };
        *last = Some((Instant::now(), info.clone()));
        info
    }
}

/// None when it is not installed, or does not say.
async fn version(program: &str, argument: &str, name: &str) -> Option<Software> {
    let text = output(program, &[argument], VERSION).await.ok()?;
    Some(Software { name: name.to_owned(), version: number(&text)? })
}

/// The first word of a program's answer that is a version.
fn number(text: &str) -> Option<String> {
    let words = text.lines().next()?.split([' ', '(', ')', ',']);
    let mut words = words.map(|word| word.trim_start_matches("go").trim_start_matches('v'));
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("git version 2.39.5\n", "2.39.5"),
            ("v20.18.1\n", "20.18.1"),
            ("Python 3.11.2\n", "3.11.2"),
            ("Docker version 28.2.2, build e6534b4\n", "28.2.2"),
            ("go version go1.24.3 linux/amd64\n", "1.24.3"),
            ("nftables v1.0.6 (Lester Gooch #5)\n", "1.0.6"),
            ("systemd 252 (252.39-1~deb12u2)\n+PAM\n", "252"),
        ] {
            assert_eq!(number(text).as_deref(), Some(version));
        }
        assert_eq!(number("usage: what\n"), None);
    }
}

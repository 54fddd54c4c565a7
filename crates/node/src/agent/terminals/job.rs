//! What has a terminal to itself: the process group in its foreground, as proc(5) shows it. Asked again by its number, it
//! is told whether any process of it is left; so nobody has to remember it, over any number of lives of this node.

use ids::{TerminalId, WorkloadId, WorkspaceId};
use wire::TerminalJob;

use super::Agent;
use crate::shim::Shim;

/// Characters of a command that are shown.
const COMMAND_MAX: usize = 60;

/// A line of a process's `stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    id: i32,
    parent: i32,
    group: i32,
    session: i32,
    /// The group in the foreground of its terminal.
    foreground: i32,
    is_alive: bool,
}

impl Agent {
    /// The job in the foreground of a terminal that runs, or the one of this name, if that still runs.
    pub(crate) async fn terminal_job(
        &self,
        id: &WorkspaceId,
        terminal: &TerminalId,
        wanted: Option<i32>,
    ) -> Option<TerminalJob> {
        let terminal_name = self.find_terminal(id, terminal).filter(|it| it.exit.is_none())?.name;
        let run_dir = self.confine().layout.run(&WorkloadId::terminal(id, terminal));
        let init = Shim::look(&run_dir).await.ok()??.init_pid().await?;
        let job = tokio::task::spawn_blocking(move || {
            let all = processes();
            let group = match wanted {
                Some(group) => Some(runs(&all, init, group).then_some(group)?),
                None => foreground(&all, init),
            };
            Some(group.map(|group| (group, command(&all, group))))
        });
        let job = job.await.ok()??;
        let (group, command) = job.unzip();
        Some(TerminalJob { terminal_name, id: group.map(|group| group.to_string()), command: command.flatten() })
    }
}

/// The program that the init of a terminal looks after: it leads the terminal's session.
fn leader(all: &[Process], init: i32) -> Option<Process> {
    all.iter().find(|it| it.parent == init && it.session == it.id).copied()
}

/// What a shell has put before itself.
fn foreground(all: &[Process], init: i32) -> Option<i32> {
    let leader = leader(all, init)?;
    Some(leader.foreground).filter(|group| *group != leader.group && runs(all, init, *group))
}

/// Whether anything of a job is left, in the foreground or not.
fn runs(all: &[Process], init: i32, group: i32) -> bool {
    let of_job = |it: &Process| it.group == group && it.is_alive;
    leader(all, init).is_some_and(|leader| all.iter().any(|it| of_job(it) && it.session == leader.session))
}

/// As its first process was called.
fn command(all: &[Process], group: i32) -> Option<String> {
    let first = all.iter().filter(|it| it.group == group).min_by_key(|it| (it.id != group, it.id))?;
    let words = std::fs::read(format!("/proc/{}/cmdline", first.id)).ok()?;
    let words = String::from_utf8_lossy(&words).replace(|it: char| it.is_control(), " ");
    let shown = words.trim().chars().take(COMMAND_MAX).collect::<String>();
    Some(shown).filter(|shown| !shown.is_empty())
}

/// Every process that this one can see. Blocks.
fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter_map(|id| process(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)).collect()
}

fn process(stat: &str) -> Option<Process> {
    let id = stat.split_once(' ')?.0.parse().ok()?;
    // Its name may be anything, and stands in brackets.
    let mut fields = stat.rsplit_once(") ")?.1.split_ascii_whitespace();
    let is_alive = !matches!(fields.next()?, "Z" | "X" | "x");
    let mut number = || fields.next()?.parse::<i32>().ok();
    let (parent, group, session, _, foreground) = (number()?, number()?, number()?, number()?, number()?);
    Some(Process { id, parent, group, session, foreground, is_alive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_before_the_shell_is_found_and_its_end_too() {
        let text = "12 (a) b (c) S 11 12 12 34816 20 4194560 1";
        let shell = process(text).unwrap();
        let expected = Process { id: 12, parent: 11, group: 12, session: 12, foreground: 20, is_alive: true };
        assert_eq!(shell, expected);
        let job = Process { id: 21, parent: 12, group: 20, session: 12, foreground: 20, is_alive: true };
        let other = Process { id: 30, parent: 1, group: 20, session: 30, foreground: 20, is_alive: true };
        assert_eq!(foreground(&[shell, job], 11), Some(20));
        assert!(runs(&[shell, job], 11, 20) && !runs(&[shell, other], 11, 20) && !runs(&[job], 11, 20));
        assert!(!runs(&[shell, Process { is_alive: false, ..job }], 11, 20), "nobody has looked at its end yet");
        let waiting = Process { foreground: 12, ..shell };
        assert_eq!(foreground(&[waiting, job], 11), None);
        assert!(runs(&[waiting, job], 11, 20), "it goes on behind the shell");
        assert_eq!(process("12 (a"), None);
    }
}

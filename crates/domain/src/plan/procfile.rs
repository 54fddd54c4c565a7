use super::{OtherProcess, Schedule};
use crate::schedule;

const NAME_MAX: usize = 32;

/// The lines of a Procfile, by what they mean.
#[derive(Debug, Default)]
pub(super) struct Procfile {
    pub(super) web: Option<String>,
    pub(super) release: Option<String>,
    pub(super) processes: Vec<OtherProcess>,
    pub(super) schedules: Vec<Schedule>,
}

impl Procfile {
    /// Whether nothing in it keeps a project busy: a release command alone does not.
    pub(super) fn is_empty(&self) -> bool {
        self.web.is_none() && self.processes.is_empty() && self.schedules.is_empty()
    }

    /// Reads `name: command` lines; empty ones and comments are skipped. Fails with a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut procfile = Self::default();
        let mut names = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, command)) = line.split_once(':') else {
                return Err(format!("line {number} of the Procfile is not `name: command`: {line}"));
            };
            let (name, command) = (name.trim(), command.trim());
            check_name(name)?;
            if names.contains(&name) {
                return Err(format!("the Procfile has two `{name}` processes; give one of them another name"));
            }
            if command.is_empty() {
                return Err(format!(
                    "the Procfile's `{name}` has no command; write one behind the colon or remove the line"
                ));
            }
            names.push(name);
            procfile.add(name, command)?;
        }
        Ok(procfile)
    }

    fn add(&mut self, name: &str, command: &str) -> Result<(), String> {
        match name {
            "web" => self.web = Some(command.to_owned()),
            "release" => self.release = Some(command.to_owned()),
            // No program's name starts like this, so a mistake in the schedule is told as one.
            _ if name.starts_with("cron") && command.starts_with(|c: char| c.is_ascii_digit() || "*@".contains(c)) => {
                self.schedules.push(scheduled(name, command)?);
            }
            _ => self.processes.push(OtherProcess { name: name.to_owned(), command: command.to_owned() }),
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let consists = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if starts && consists && name.len() <= NAME_MAX {
        return Ok(());
    }
    Err(format!(
        "`{name}` in the Procfile is no name for a process; use up to {NAME_MAX} lower-case letters, digits, `-` and `_`, \
         beginning with a letter or digit"
    ))
}

/// `0 3 * * * command` or `@daily command`.
fn scheduled(name: &str, text: &str) -> Result<Schedule, String> {
    let fields = if text.starts_with('@') { 1 } else { 5 };
    let mut words = Vec::new();
    let mut rest = text;
    while words.len() < fields && !rest.is_empty() {
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        words.push(word);
        rest = behind.trim_start();
    }
    let schedule = words.join(" ");
    schedule::parse(&schedule).map_err(|reason| format!("the Procfile's `{name}`: {reason}"))?;
    if rest.is_empty() {
        return Err(format!("the Procfile's `{name}` has a schedule and no command; write one behind `{schedule}`"));
    }
    Ok(Schedule { name: name.to_owned(), schedule, command: rest.to_owned() })
}

//! What people see: lines, tables, a little colour where a terminal shows it.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use anyhow::Result;
use ids::{DeploymentState, ProjectStatus, RunState};

static STDOUT_COLOURED: LazyLock<bool> = LazyLock::new(|| coloured(&io::stdout()));
static STDERR_COLOURED: LazyLock<bool> = LazyLock::new(|| coloured(&io::stderr()));

fn coloured(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    stream.is_terminal() && !refused && !dumb
}

/// Nobody reads our standard output any more.
#[derive(Debug)]
pub(super) struct Closed;

impl Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for Closed {}

/// Writes a line to standard output.
pub(super) fn line(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}").map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow::Error::new(error).context("write to standard output"),
    })
}

/// Writes text to standard output as it is.
pub(super) fn text(text: &str) -> Result<()> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow::Error::new(error).context("write to standard output"),
    })
}

/// Tells the person something that is no result. Nothing depends on whether they can read it.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Shows on a terminal how far something has come, in place of what it showed before; nothing clears it.
pub(super) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
    }
}

pub(super) fn error(text: &str) {
    let word = if *STDERR_COLOURED { "\x1b[31;1merror:\x1b[0m" } else { "error:" };
    note(format!("{word} {text}"));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Dim,
    Bold,
    Green,
    Yellow,
    Red,
}

/// `text` in a colour, if standard output shows colours.
pub(super) fn paint(text: &str, colour: Colour) -> String {
    if !*STDOUT_COLOURED {
        return text.to_owned();
    }
    match colour {
        Colour::Plain => text.to_owned(),
        Colour::Dim => format!("\x1b[2m{text}\x1b[0m"),
        Colour::Bold => format!("\x1b[1m{text}\x1b[0m"),
        Colour::Green => format!("\x1b[32m{text}\x1b[0m"),
        Colour::Yellow => format!("\x1b[33m{text}\x1b[0m"),
        Colour::Red => format!("\x1b[31m{text}\x1b[0m"),
    }
}

/// A text that others wrote, as it may go to this terminal: a program's output must not move the cursor or answer
/// for the person. What goes to a file or a pipe stays as it is.
pub(super) fn safe(text: &str) -> String {
    if io::stdout().is_terminal() { without_controls(text, *STDOUT_COLOURED) } else { text.to_owned() }
}

/// Without control characters, except tabs and, where `colours` are shown, the sequences that set them.
fn without_controls(text: &str, colours: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut has_colour = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((sequence, sets_colour)) = escape_sequence(rest) {
            if colours && sets_colour {
                clean.push_str(sequence);
                has_colour = true;
            }
            rest = &rest[sequence.len()..];
            continue;
        }
        if c == '\t' || !c.is_control() {
            clean.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    if has_colour {
        clean.push_str("\x1b[0m");
    }
    clean
}

/// The control sequence (ECMA-48 section 5.4) that `text` begins with, and whether it only sets colours.
fn escape_sequence(text: &str) -> Option<(&str, bool)> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !matches!(c, ' '..='?'))?;
    let last = parameters[end..].chars().next().filter(|c| matches!(c, '@'..='~'))?;
    Some((&text[..2 + end + 1], last == 'm'))
}

pub(super) struct Cell {
    text: String,
    colour: Colour,
}

impl Cell {
    pub(super) fn new(text: impl Display, colour: Colour) -> Self {
        Self { text: without_controls(&text.to_string(), false), colour }
    }
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Colour::Plain)
    }
}

/// Rows under a head, in aligned columns.
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.into_iter().map(|text| Cell::new(text, Colour::Dim)).collect()] }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    pub(super) fn print(&self) -> Result<()> {
        print_rows(&self.rows)
    }
}

/// Names and what they stand for, one below the other.
#[derive(Default)]
pub(super) struct Fields {
    rows: Vec<Vec<Cell>>,
}

impl Fields {
    pub(super) fn add(&mut self, name: &str, value: impl Into<Cell>) -> &mut Self {
        self.rows.push(vec![Cell::new(name, Colour::Dim), value.into()]);
        self
    }

    pub(super) fn add_some(&mut self, name: &str, value: Option<impl Into<Cell>>) -> &mut Self {
        if let Some(value) = value {
            self.add(name, value);
        }
        self
    }

    pub(super) fn print(&self) -> Result<()> {
        print_rows(&self.rows)
    }
}

fn print_rows(rows: &[Vec<Cell>]) -> Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    };
    let widths = (0..columns).map(width).collect::<Vec<_>>();
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&paint(&cell.text, cell.colour));
            text.push_str(&" ".repeat(width - cell.text.chars().count() + 2));
        }
        line(text.trim_end())?;
    }
    Ok(())
}

/// At most `length` characters of a text.
pub(super) fn shortened(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// `1.5 MB`, in powers of 1024 as everybody writes them.
pub(super) fn bytes(count: u64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
    let mut amount = count as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{amount:.1} {}", units[unit]) }
}

pub(super) fn deployment_state(state: DeploymentState) -> Cell {
    let colour = match state {
        DeploymentState::Live => Colour::Green,
        DeploymentState::Queued | DeploymentState::Building | DeploymentState::Starting => Colour::Yellow,
        DeploymentState::Failed => Colour::Red,
        DeploymentState::Retired | DeploymentState::Cancelled | DeploymentState::Superseded => Colour::Dim,
    };
    Cell::new(state, colour)
}

pub(super) fn run_state(state: RunState) -> Cell {
    let colour = match state {
        RunState::Succeeded => Colour::Green,
        RunState::Running => Colour::Yellow,
        RunState::Failed | RunState::Lost => Colour::Red,
        RunState::Cancelled | RunState::Skipped => Colour::Dim,
    };
    Cell::new(state, colour)
}

pub(super) fn project_status(status: ProjectStatus) -> Cell {
    let colour = match status {
        ProjectStatus::Live => Colour::Green,
        ProjectStatus::Deploying => Colour::Yellow,
        ProjectStatus::Down | ProjectStatus::Failed => Colour::Red,
        ProjectStatus::Empty | ProjectStatus::Deleting => Colour::Dim,
    };
    Cell::new(status, colour)
}

#[cfg(test)]
mod tests {
    use super::{bytes, shortened, without_controls};

    #[test]
    fn only_colours_pass_to_a_terminal() {
        let text = "\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\r\tend";
        assert_eq!(without_controls(text, true), "\x1b[31mred\x1b[0m]0;title\tend\x1b[0m");
        assert_eq!(without_controls(text, false), "red]0;title\tend");
    }

    #[test]
    fn amounts_and_long_texts_are_short() {
        assert_eq!(bytes(900), "900 B");
        assert_eq!(bytes(1536 * 1024), "1.5 MB");
        assert_eq!(shortened("größer", 4), "größ…");
        assert_eq!(shortened("ok", 4), "ok");
    }
}

//! Asks before something is lost.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, bail};

/// Says what would happen, and has the person type the name of what it would happen to.
///
/// # Errors
/// When nobody is there to ask, or they typed something else.
pub(super) fn by_name(warning: &str, name: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask at; --yes removes `{name}` without asking");
    }
    let mut terminal = io::stderr().lock();
    write!(terminal, "{warning}\nType its name to go on: ")?;
    terminal.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() == name { Ok(()) } else { bail!("that is not its name; nothing was removed") }
}

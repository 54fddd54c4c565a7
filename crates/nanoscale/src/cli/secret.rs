//! Secrets come on standard input: arguments are seen by everybody on the machine.

use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Result};

/// Asks at a terminal, and reads what a program sends to its end. `None` when nothing came.
pub(super) fn read(what: &str) -> Result<Option<String>> {
    let value = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{what}: ")).context("read the answer")?
    } else {
        let mut value = String::new();
        io::stdin().read_to_string(&mut value).context("read standard input")?;
        value
    };
    // The newline that `echo` and editors put at the end; any other belongs to the value.
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let value = value.strip_suffix('\r').unwrap_or(value);
    Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
}

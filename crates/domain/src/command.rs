//! A command as its owner typed it, turned into an argument vector.

/// Characters that mean something to a shell beyond quoting.
const SHELL: [char; 14] = ['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '[', '~', '\n'];

/// The argument vector for `command`: its words by POSIX quoting where that is enough, so that signals
/// reach the program itself, and `/bin/sh -c` where it uses the shell's own syntax. Either runs inside
/// the sandbox of its owner only. `None` when there is no word in it or a quote is left open.
pub fn argv(command: &str) -> Option<Vec<String>> {
    let words = shell_words::split(command).ok().filter(|words| !words.is_empty())?;
    let assigns = words[0].contains('=');
    let builtin = matches!(words[0].as_str(), "cd" | "export" | "set" | "exec" | "." | "source" | "ulimit" | "umask");
    if command.contains(SHELL) || assigns || builtin {
        return Some(vec!["/bin/sh".into(), "-c".into(), command.to_owned()]);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::argv;

    #[test]
    fn plain_words_run_without_a_shell() {
        assert_eq!(argv("node server.js").unwrap(), ["node", "server.js"]);
        assert_eq!(argv(r#"node -e 'a b' "c d""#).unwrap(), ["node", "-e", "a b", "c d"]);
    }

    #[test]
    fn shell_syntax_runs_in_a_shell() {
        for command in ["a && b", "echo $HOME", "X=1 node .", "cd web && npm start", "a > b"] {
            assert_eq!(argv(command).unwrap(), ["/bin/sh", "-c", command]);
        }
    }

    #[test]
    fn nothing_to_run() {
        for command in ["", "   ", "echo 'open"] {
            assert_eq!(argv(command), None);
        }
    }
}

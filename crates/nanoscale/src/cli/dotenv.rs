//! The `.env` format, as its many readers agree on it. Nothing is expanded: a `$` is a dollar sign.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ids::EnvKey;

/// Reads a file. Of a key that is there twice the last value counts.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

/// Splits `KEY=VALUE`.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    let key = key.parse::<EnvKey>().map_err(|error| error.to_string())?;
    Ok((key.to_string(), value.to_owned()))
}

fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut reader = Reader { rest: &text, line: 1 };
    let mut variables = Vec::<(String, String)>::new();
    while !reader.rest.is_empty() {
        let line = reader.line;
        let Some((key, value)) = reader.entry().with_context(|| format!("line {line}"))? else { continue };
        variables.retain(|(known, _)| *known != key);
        variables.push((key, value));
    }
    Ok(variables)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Takes what is left of the current line, and its end.
    fn take_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line
    }

    /// Takes one variable; none from an empty line or a comment.
    fn entry(&mut self) -> Result<Option<(String, String)>> {
        let line = self.rest.lines().next().unwrap_or_default();
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            self.take_line();
            return Ok(None);
        }
        let (name, value) = line.split_once('=').context("a variable is written KEY=VALUE")?;
        let name = name.trim();
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        let key = name.parse::<EnvKey>()?.to_string();
        let trimmed = value.trim_start();
        let value = match trimmed.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                self.rest = &self.rest[line.len() - trimmed.len()..];
                self.quoted(quote)?
            }
            _ => {
                self.take_line();
                unquoted(value)
            }
        };
        Ok(Some((key, value)))
    }

    /// Takes a text in quotes, over as many lines as it has, and the rest of its last line.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let mut value = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.line += self.rest[..at].matches('\n').count();
                    self.rest = &self.rest[at + 1..];
                    let after = self.take_line().trim();
                    if !after.is_empty() && !after.starts_with('#') {
                        bail!("there is something after the closing quote: {}", super::output::shortened(after, 20));
                    }
                    return Ok(value);
                }
                '\\' if quote == '"' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, escaped @ ('"' | '\\' | '$'))) => value.push(escaped),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => break,
                },
                _ => value.push(c),
            }
        }
        bail!("the quote {quote} is never closed")
    }
}

/// A value without quotes ends with its line, or where a comment begins behind a space.
fn unquoted(text: &str) -> String {
    let comment = text.match_indices('#').find(|(at, _)| text[..*at].ends_with([' ', '\t']));
    text[..comment.map_or(text.len(), |(at, _)| at)].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_pair};

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn plain_values() {
        check("A=1\nB = two words \nC=\nexport D=4", &[("A", "1"), ("B", "two words"), ("C", ""), ("D", "4")]);
        check("URL=https://h/?a=b#c\nPRICE=$5", &[("URL", "https://h/?a=b#c"), ("PRICE", "$5")]);
        check("\u{feff}A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("A=1\nB=2\nA=3", &[("B", "2"), ("A", "3")]);
    }

    #[test]
    fn comments() {
        check("# head\n\n  # more\nA=1 # one\nB= # none\n", &[("A", "1"), ("B", "")]);
        check("C=a#b\nCOLOUR=#fff\n", &[("C", "a#b"), ("COLOUR", "#fff")]);
        check("A=\"1 # 2\" # three\nB='#'", &[("A", "1 # 2"), ("B", "#")]);
    }

    #[test]
    fn quotes() {
        check(r#"A="a\nb\t\"c\" \\ \$x \d""#, &[("A", "a\nb\t\"c\" \\ $x \\d")]);
        check(r"A='a\n$b'", &[("A", r"a\n$b")]);
        check(
            "KEY=\"-----BEGIN-----\nabc=\n-----END-----\n\"\nB=2",
            &[("KEY", "-----BEGIN-----\nabc=\n-----END-----\n"), ("B", "2")],
        );
        check("A='one\ntwo'\nB=\"\"", &[("A", "one\ntwo"), ("B", "")]);
    }

    #[test]
    fn mistakes_are_found_with_their_line() {
        for (text, line) in
            [("A=1\nnonsense", 2), ("1A=2", 1), ("A=\"x\n\ny\"\nB='open", 4), ("A=\"x\"y", 1), ("A=\"\\n\\n\"\n-", 2)]
        {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.starts_with(&format!("line {line}: ")), "{text}: {error}");
        }
    }

    #[test]
    fn pairs_of_an_argument() {
        assert_eq!(parse_pair("A=b=c").unwrap(), ("A".to_owned(), "b=c".to_owned()));
        assert!(parse_pair("A").is_err());
        assert!(parse_pair("1=2").is_err());
    }
}

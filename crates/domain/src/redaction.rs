//! Takes the values of environment variables out of log lines.

/// Shorter values would hit innocent words.
const MIN_LENGTH: usize = 6;
/// Values that are no secret and would make a log unreadable.
const PLAIN: [&str; 8] =
    ["production", "development", "staging", "localhost", "127.0.0.1", "0.0.0.0", "verbose", "warning"];

/// Replaces each secret by its name in brackets. Built once per process.
pub struct Redactor {
    /// Longest first, so that a value inside another one does not spoil it.
    secrets: Vec<(String, String)>,
}

impl Redactor {
    /// Of a value with several lines every line is a secret, since logs are read by line.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut secrets = variables
            .into_iter()
            .flat_map(|(key, value)| value.lines().map(move |line| (line.trim(), key)))
            .filter(|(line, _)| line.len() >= MIN_LENGTH && !PLAIN.contains(line))
            .map(|(line, key)| (line.to_owned(), format!("[{key}]")))
            .collect::<Vec<_>>();
        secrets.sort_by_key(|(line, _)| std::cmp::Reverse(line.len()));
        Self { secrets }
    }

    pub fn redact(&self, line: String) -> String {
        self.secrets.iter().fold(line, |line, (secret, name)| {
            if line.contains(secret.as_str()) { line.replace(secret.as_str(), name) } else { line }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;

    #[test]
    fn values_go_names_stay() {
        let redactor = Redactor::new([("KEY", "s3cr3t-value"), ("PEM", "-----BEGIN\nabcdefgh\n"), ("E", "production")]);
        assert_eq!(redactor.redact("KEY=s3cr3t-value!".into()), "KEY=[KEY]!");
        assert_eq!(redactor.redact("abcdefgh".into()), "[PEM]");
        assert_eq!(redactor.redact("in production".into()), "in production");
    }
}

//! Values of the settings, collected from file and environment.

mod table;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ids::BaseDomain;
use ipnet::Ipv4Net;
use jiff::SignedDuration;
use serde_json::Value;

pub(super) use self::table::default_file;
use self::table::{GITHUB, Kind, SETTINGS, Setting, nearest, setting};
use super::Mistakes;

/// Characters of a secret.
const SECRET_MIN: usize = 16;

/// A text that no log shows.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What file and environment say, and what is wrong with it.
#[derive(Default)]
pub(super) struct Values {
    values: BTreeMap<&'static str, Value>,
    mistakes: Vec<String>,
}

impl Values {
    pub(super) fn mistake(&mut self, path: &str, what: impl std::fmt::Display) {
        self.mistakes.push(format!("{path}: {what}"));
    }

    pub(super) fn read_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.mistake(&name, format!("cannot be read: {error}")),
        };
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(top)) => self.read_object("", top),
            Ok(_) => self.mistake(&name, "is not a JSON object"),
            Err(error) => self.mistake(&name, format!("is not valid JSON: {error}")),
        }
    }

    fn read_object(&mut self, prefix: &str, object: serde_json::Map<String, Value>) {
        for (key, value) in object {
            let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            let is_section = SETTINGS.iter().any(|setting| setting.path.starts_with(&format!("{path}.")));
            match (setting(&path), value) {
                (_, Value::Null) => {}
                (Some(setting), value) => drop(self.values.insert(setting.path, value)),
                (None, Value::Object(inner)) if is_section => self.read_object(&path, inner),
                (None, _) if is_section => self.mistake(&path, "is a section, with settings in braces"),
                (None, _) => self.mistake(&path, format!("is not a setting{}", nearest(&path))),
            }
        }
    }

    pub(super) fn read_variables(&mut self, variables: &[(String, String)]) {
        for setting in SETTINGS {
            let own = setting.variable();
            let names = setting.aliases.iter().copied().rev().chain([own.as_str()]);
            for name in names {
                let is_alias = name != own;
                let Some((_, value)) = variables.iter().find(|(key, value)| key == name && !value.is_empty()) else {
                    continue;
                };
                let value = match setting.kind {
                    Kind::List => value.split(',').map(|part| Value::from(part.trim())).collect(),
                    // Part of a second is one.
                    Kind::Seconds(..) if is_alias => match value.trim().parse::<u64>() {
                        Ok(milliseconds) => milliseconds.div_ceil(1000).into(),
                        Err(_) => value.clone().into(),
                    },
                    Kind::Number(..) | Kind::Seconds(..) | Kind::Measured(..) => {
                        value.trim().parse::<u64>().map_or_else(|_| value.clone().into(), Value::from)
                    }
                    Kind::Flag => Value::Bool(matches!(value.as_str(), "true" | "1")),
                    Kind::Text | Kind::Duration(..) | Kind::Idle(_) => value.clone().into(),
                };
                self.values.insert(setting.path, value);
            }
        }
    }

    /// What counts where nothing is set.
    pub(super) fn usually(&mut self, path: &'static str, text: &str) {
        self.values.entry(path).or_insert_with(|| text.into());
    }

    /// Whether it is set.
    pub(super) fn has(&self, path: &str) -> bool {
        self.values.contains_key(path)
    }

    pub(super) fn text(&mut self, path: &'static str) -> Option<String> {
        match self.values.get(path)? {
            Value::String(text) if !text.contains(char::is_control) => {
                Some(text.trim().to_owned()).filter(|text| !text.is_empty())
            }
            Value::String(_) => {
                self.mistake(path, "has a control character in it");
                None
            }
            _ => {
                self.mistake(path, "is a text in quotes");
                None
            }
        }
    }

    /// A text of several lines.
    pub(super) fn lines(&mut self, path: &'static str) -> Option<Secret> {
        match self.values.get(path)? {
            Value::String(text) => Some(Secret(text.trim().to_owned())).filter(|text| !text.0.is_empty()),
            _ => {
                self.mistake(path, "is a text in quotes");
                None
            }
        }
    }

    /// One of a few words; the first when none is given.
    pub(super) fn choice<T: Copy>(&mut self, path: &'static str, choices: &[(&str, T)]) -> T {
        let text = self.text(path).unwrap_or_else(|| choices[0].0.to_owned());
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => *choice,
            None => {
                let words = choices.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
                self.mistake(path, format!("`{text}` is not {words}"));
                choices[0].1
            }
        }
    }

    pub(super) fn flag(&mut self, path: &'static str) -> bool {
        match self.values.get(path) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.mistake(path, "is true or false");
                false
            }
        }
    }

    /// A text that has to be hard to guess.
    pub(super) fn secret(&mut self, path: &'static str) -> Option<Secret> {
        let text = self.text(path)?;
        if text.chars().count() < SECRET_MIN {
            self.mistake(path, format!("has fewer than {SECRET_MIN} characters, which can be guessed"));
        }
        Some(Secret(text))
    }

    pub(super) fn path(&mut self, path: &'static str) -> Option<PathBuf> {
        self.text(path).map(PathBuf::from)
    }

    pub(super) fn address(&mut self, path: &'static str, default: &str) -> SocketAddr {
        let text = self.text(path).unwrap_or_else(|| default.to_owned());
        text.parse().unwrap_or_else(|_| {
            self.mistake(path, format!("`{text}` is not an address with a port, like 127.0.0.1:4000"));
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    /// Absent unless somebody sets it.
    pub(super) fn optional<T: FromStr>(&mut self, path: &'static str, like: &str) -> Option<T> {
        let text = self.text(path)?;
        text.parse().inspect_err(|_| self.mistake(path, format!("`{text}` is not like {like}"))).ok()
    }

    pub(super) fn domain(&mut self, path: &'static str, default: &str) -> BaseDomain {
        let text = self.text(path).unwrap_or_else(|| default.to_owned());
        text.parse()
            .or_else(|error| {
                self.mistake(path, error);
                default.parse()
            })
            .unwrap_or_else(|_| unreachable!("the default domain is valid"))
    }

    /// An http(s) address, without the slash at its end.
    pub(super) fn web_address(&mut self, path: &'static str) -> Option<String> {
        let text = self.text(path)?;
        let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.query().is_none();
        match url::Url::parse(&text).ok().filter(is_web) {
            Some(url) => Some(url.as_str().trim_end_matches('/').to_owned()),
            None => {
                self.mistake(path, format!("`{text}` is no address like https://cloud.example.com"));
                None
            }
        }
    }

    pub(super) fn database_url(&mut self, path: &'static str) -> Option<String> {
        let url = self.text(path)?;
        if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
            self.mistake(path, "starts with sqlite: or postgres:");
        }
        Some(url)
    }

    pub(super) fn number(&mut self, path: &'static str) -> u64 {
        let Some(Setting { kind: Kind::Number(min, max, default) | Kind::Seconds(min, max, default), .. }) =
            setting(path)
        else {
            unreachable!("{path} is in the table as a number");
        };
        self.number_from(path, *min, *max).unwrap_or(*default)
    }

    /// A number whose default depends on the machine.
    pub(super) fn measured(&mut self, path: &'static str) -> Option<u64> {
        let Some(Setting { kind: Kind::Measured(min, max), .. }) = setting(path) else {
            unreachable!("{path} is in the table as a number that is measured");
        };
        self.number_from(path, *min, *max)
    }

    fn number_from(&mut self, path: &'static str, min: u64, max: u64) -> Option<u64> {
        let value = self.values.get(path)?;
        match value.as_u64() {
            Some(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                let shown = value.to_string();
                let aliases = setting(path).map_or(&[] as &[&str], |setting| setting.aliases);
                let also = aliases.iter().map(|alias| format!(" ({alias})")).collect::<String>();
                self.mistake(&format!("{path}{also}"), format!("{shown} is not a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// A time like `30s`, `500ms` or `1m30s`.
    pub(super) fn duration(&mut self, path: &'static str) -> Duration {
        let Some(Setting { kind: Kind::Duration(min, max, default), aliases, .. }) = setting(path) else {
            unreachable!("{path} is in the table as a duration");
        };
        let [min, max, default] = [*min, *max, *default].map(Duration::from_millis);
        let Some(value) = self.values.get(path) else { return default };
        let parsed = value.as_str().and_then(|text| text.trim().parse::<SignedDuration>().ok());
        match parsed.and_then(|parsed| Duration::try_from(parsed).ok()) {
            Some(duration) if (min..=max).contains(&duration) => duration,
            _ => {
                let (shown, also) =
                    (value.to_string(), aliases.iter().map(|alias| format!(" ({alias})")).collect::<String>());
                self.mistake(
                    &format!("{path}{also}"),
                    format!("{shown} is not a time like \"30s\", from {min:?} to {max:?}"),
                );
                default
            }
        }
    }

    pub(super) fn list(&mut self, path: &'static str) -> Vec<String> {
        let texts = match self.values.get(path) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.mistake(path, "is a list of texts, like [\"git.example.com\"]");
            Vec::new()
        })
    }

    /// A list of networks like 10.1.0.0/16, or of single addresses.
    pub(super) fn networks(&mut self, path: &'static str) -> Vec<Ipv4Net> {
        let mut networks = Vec::new();
        for text in self.list(path) {
            match text.parse().or_else(|_| text.parse::<Ipv4Addr>().map(Ipv4Net::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.mistake(path, format!("`{text}` is not an IPv4 network like 10.1.0.0/16")),
            }
        }
        networks
    }

    /// Sentences about settings that are there and do nothing.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        if self.values.get("github.enabled").is_some_and(|value| value == &Value::Bool(true)) {
            self.mistake("github.enabled", GITHUB);
        }
        let idle = SETTINGS.iter().filter_map(|setting| match setting.kind {
            Kind::Idle(why) if self.values.contains_key(setting.path) => {
                Some(format!("{} has no effect: {why}", setting.path))
            }
            _ => None,
        });
        idle.collect()
    }

    /// The result, unless something was wrong anywhere.
    pub(super) fn finish<T>(self, result: T) -> Result<T, Mistakes> {
        if self.mistakes.is_empty() { Ok(result) } else { Err(Mistakes(self.mistakes)) }
    }
}

//! The table of settings, and values collected for them from file and environment.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ids::BaseDomain;
use ipnet::Ipv4Net;
use jiff::SignedDuration;
use serde_json::Value;

use super::Mistakes;

/// One setting that may appear in the file.
struct Setting {
    path: &'static str,
    /// Variables besides `NANOSCALE_<PATH>` that set it.
    aliases: &'static [&'static str],
    kind: Kind,
}

enum Kind {
    Text,
    List,
    Flag,
    /// Smallest, largest and default.
    Number(u64, u64, u64),
    /// The same, whose aliases are in milliseconds.
    Seconds(u64, u64, u64),
    /// Like `30s`: shortest, longest and default in milliseconds.
    Duration(u64, u64, u64),
    /// Smallest and largest; the machine says what is usual.
    Measured(u64, u64),
    /// Accepted for the guide's sake; the sentence says why nothing comes of it.
    Idle(&'static str),
}

const DAY_MS: u64 = 24 * 3600 * 1000;
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

const fn text(path: &'static str, aliases: &'static [&'static str]) -> Setting {
    Setting { path, aliases, kind: Kind::Text }
}

const fn number(path: &'static str, min: u64, max: u64, default: u64) -> Setting {
    Setting { path, aliases: &[], kind: Kind::Number(min, max, default) }
}

const fn aliased_number(
    path: &'static str,
    aliases: &'static [&'static str],
    min: u64,
    max: u64,
    default: u64,
) -> Setting {
    Setting { path, aliases, kind: Kind::Number(min, max, default) }
}

/// In seconds, from a tenth of one on.
const fn duration(path: &'static str, aliases: &'static [&'static str], max: u64, default: u64) -> Setting {
    Setting { path, aliases, kind: Kind::Duration(100, max * 1000, default * 1000) }
}

const fn measured(path: &'static str, min: u64, max: u64) -> Setting {
    Setting { path, aliases: &[], kind: Kind::Measured(min, max) }
}

const fn idle(path: &'static str, why: &'static str) -> Setting {
    Setting { path, aliases: &[], kind: Kind::Idle(why) }
}

const GITHUB: &str = "GitHub cannot be connected yet; use a repository's https address";

const SETTINGS: &[Setting] = &[
    text("data_dir", &[]),
    text("database_url", &[]),
    text("database_path", &["NANOSCALE_DB_PATH"]),
    idle("tls_email", "certificates are not requested yet"),
    text("orchestrator.bind_address", &[]),
    text("orchestrator.server_name", &[]),
    text("orchestrator.base_domain", &["NANOSCALE_BASE_DOMAIN", "BASE_DOMAIN"]),
    text("orchestrator.public_url", &[]),
    idle("orchestrator.server_id", "a node's id is made by the server"),
    idle("orchestrator.worker_ip", "a node needs no address of its own"),
    Setting { path: "orchestrator.insecure_http", aliases: &[], kind: Kind::Flag },
    text("worker.orchestrator_url", &[]),
    text("worker.name", &[]),
    text("worker.ip", &[]),
    text("worker.bind", &[]),
    text("node.driver", &[]),
    text("agents.directory", &[]),
    aliased_number("activity.retention_days", &["ACTIVITY_RETENTION_DAYS"], 1, 3650, 90),
    text("tokens.private_key", &["JWT_PRIVATE_KEY"]),
    text("tokens.public_key", &["JWT_PUBLIC_KEY"]),
    text("tokens.key_id", &["JWT_KEY_ID"]),
    aliased_number("tokens.terminal_expiry_ms", &["TERMINAL_TOKEN_EXPIRY_MS"], 1000, 30 * DAY_MS, 3_600_000),
    aliased_number("tokens.callback_expiry_ms", &["CALLBACK_TOKEN_EXPIRY_MS"], 1000, 365 * DAY_MS, DAY_MS),
    text("edge.http_bind", &[]),
    idle("edge.https_bind", "the edge does not speak TLS yet"),
    Setting { path: "git.allow_hosts", aliases: &[], kind: Kind::List },
    Setting { path: "images.allow_hosts", aliases: &[], kind: Kind::List },
    text("docker.host", &["DOCKER_HOST"]),
    Setting { path: "network.allow", aliases: &[], kind: Kind::List },
    Setting { path: "notifications.allow_hosts", aliases: &[], kind: Kind::List },
    number("notifications.first_retry_ms", 1, 3_600_000, 10_000),
    text("metrics.token", &[]),
    number("limits.build_memory_mb", 64, 1 << 20, 2048),
    number("limits.build_disk_mb", 64, 1 << 30, 10_240),
    number("limits.disk_reserve_mb", 0, 1 << 30, 512),
    measured("limits.cache_mb", 0, 1 << 30),
    measured("limits.builds_at_once", 1, 1024),
    number("limits.build_pressure_percent", 0, 100, 20),
    number("limits.build_timeout_seconds", 1, 86_400, 1800),
    number("limits.app_memory_mb", 16, 1 << 20, 1024),
    number("limits.volume_mb", 1, 1 << 30, 10_240),
    number("limits.start_timeout_seconds", 1, 3600, 60),
    aliased_number("limits.workspaces_per_user", &["MAX_WORKSPACES_PER_USER"], 1, 10_000, 10),
    aliased_number("limits.workspaces_per_node", &["MAX_WORKSPACES_PER_NODE"], 1, 10_000, 10),
    aliased_number("limits.rate_workspace_create", &["RATE_LIMIT_WORKSPACE_CREATE"], 0, 1_000_000, 60),
    aliased_number("limits.rate_terminal_token", &["RATE_LIMIT_TERMINAL_TOKEN"], 0, 1_000_000, 600),
    aliased_number("limits.rate_credential_update", &["RATE_LIMIT_CREDENTIAL_UPDATE"], 0, 1_000_000, 60),
    number("limits.workspace_memory_mb", 64, 1 << 20, 2048),
    Setting {
        path: "limits.workspace_timeout_seconds",
        aliases: &["PROVISIONING_TIMEOUT_MS"],
        kind: Kind::Seconds(1, 86_400, 600),
    },
    number("limits.settle_ms", 0, 60_000, 2000),
    number("limits.drain_seconds", 0, 3600, 30),
    number("limits.stop_grace_seconds", 0, 600, 10),
    number("limits.releases_kept", 1, 1000, 5),
    aliased_number("limits.stale_after_seconds", &["NODE_HEARTBEAT_STALE_SECONDS"], 1, 86_400, 30),
    number("limits.reschedule_after_seconds", 1, 86_400, 300),
    number("limits.upload_mb", 1, 1 << 20, 512),
    number("limits.log_mb", 1, 1 << 20, 16),
    number("limits.log_project_mb", 1, 1 << 20, 256),
    number("limits.log_days", 1, 3650, 14),
    number("limits.disk_notice_percent", 1, 100, 90),
    aliased_number("limits.env_vars", &["MAX_PROJECT_RUNTIME_ENV_VARS_PER_PROJECT"], 1, 10_000, 150),
    aliased_number("limits.env_value_bytes", &["MAX_PROJECT_RUNTIME_ENV_VALUE_BYTES"], 1, 131_071, 8192),
    aliased_number("limits.files", &["MAX_PROJECT_RUNTIME_FILES_PER_PROJECT"], 1, 1000, 50),
    aliased_number("limits.file_bytes", &["MAX_PROJECT_RUNTIME_FILE_CONTENT_BYTES"], 1, 262_144, 131_072),
    aliased_number("limits.file_path_length", &["MAX_PROJECT_RUNTIME_FILE_PATH_LENGTH"], 1, 4000, 256),
    aliased_number("machine_logs.page_lines", &["LOG_RETRIEVAL_DEFAULT_LIMIT"], 1, 10_000, 200),
    aliased_number("machine_logs.page_lines_max", &["LOG_RETRIEVAL_MAX_LIMIT"], 1, 10_000, 1000),
    aliased_number("machine_logs.stream_lines", &["LOG_STREAM_BUFFER_SIZE"], 1, 10_000, 100),
    duration("machine_logs.reader_timeout", &["LOG_READER_TIMEOUT"], 600, 30),
    duration("machine_logs.ping_interval", &["LOG_STREAM_PING_INTERVAL"], 3600, 30),
    duration("machine_logs.pong_timeout", &["LOG_STREAM_PONG_TIMEOUT"], 3600, 90),
    text("machine_logs.cloud_init_dir", &[]),
    duration("system_info.docker_list_timeout", &["SYSINFO_DOCKER_LIST_TIMEOUT"], 600, 10),
    duration("system_info.docker_stats_timeout", &["SYSINFO_DOCKER_STATS_TIMEOUT"], 600, 10),
    Setting { path: "github.enabled", aliases: &[], kind: Kind::Flag },
    idle("github.app_id", GITHUB),
    idle("github.app_slug", GITHUB),
    idle("github.client_id", GITHUB),
    idle("github.client_secret", GITHUB),
    idle("github.private_key_path", GITHUB),
    idle("github.webhook_secret", GITHUB),
    idle("github.public_base_url", GITHUB),
    idle("github.encryption_key", GITHUB),
];

impl Setting {
    fn variable(&self) -> String {
        format!("NANOSCALE_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }
}

fn setting(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// A file with every setting that has a default.
pub(super) fn default_file() -> String {
    let mut limits = serde_json::Map::new();
    for setting in SETTINGS {
        if let (Kind::Number(_, _, default) | Kind::Seconds(_, _, default), Some(name)) =
            (&setting.kind, setting.path.strip_prefix("limits."))
        {
            limits.insert(name.to_owned(), (*default).into());
        }
    }
    let file = serde_json::json!({
        "orchestrator": { "bind_address": "127.0.0.1:4000", "server_name": "orchestrator", "base_domain": "localhost" },
        "edge": { "http_bind": "127.0.0.1:8080" },
        "node": { "driver": "native" },
        "git": { "allow_hosts": [] },
        "images": { "allow_hosts": [] },
        "network": { "allow": [] },
        "notifications": { "allow_hosts": [] },
        "limits": limits,
    });
    serde_json::to_string_pretty(&file).unwrap_or_default()
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

/// The setting that was probably meant.
fn nearest(path: &str) -> String {
    let close = SETTINGS.iter().map(|setting| setting.path).find(|known| {
        let same = known.chars().filter(|c| path.contains(*c)).count();
        known.len().abs_diff(path.len()) <= 2
            && same + 2 >= known.len()
            && known.split('.').next() == path.split('.').next()
            || known.rsplit('.').next() == Some(path)
    });
    close.map(|close| format!("; did you mean {close}?")).unwrap_or_default()
}

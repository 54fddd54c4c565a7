//! The table of settings.

/// One setting that may appear in the file.
pub(super) struct Setting {
    pub(super) path: &'static str,
    /// Variables besides `NANOSCALE_<PATH>` that set it.
    pub(super) aliases: &'static [&'static str],
    pub(super) kind: Kind,
}

pub(super) enum Kind {
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

pub(super) const GITHUB: &str = "GitHub cannot be connected yet; use a repository's https address";

pub(super) const SETTINGS: &[Setting] = &[
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
    text("workspaces.ports_url", &[]),
    text("workspaces.ports", &[]),
    Setting { path: "mesh.enabled", aliases: &[], kind: Kind::Flag },
    text("mesh.coordinator_bind", &[]),
    text("mesh.control_plane_bind", &[]),
    text("mesh.portal_bind", &[]),
    text("mesh.ollama_bind", &[]),
    text("mesh.coordinator_url", &["COORDINATOR_PUBLIC_URL", "COORDINATOR_URL"]),
    text("mesh.portal_url", &["PORTAL_SERVICE_URL"]),
    text("mesh.portal_public_url", &["PORTAL_PUBLIC_URL"]),
    text("mesh.portal_database_url", &["PORTAL_DATABASE_URL"]),
    text("mesh.coordinator_database_url", &["DATABASE_URL"]),
    text("mesh.peer_id", &["COORDINATOR_PEER_ID"]),
    text("mesh.private_key", &["COORDINATOR_PRIVATE_KEY_PEM"]),
    text("mesh.public_key", &["COORDINATOR_PUBLIC_KEY_PEM"]),
    text("mesh.token", &["COORDINATOR_MESH_TOKEN", "MESH_AUTH_TOKEN"]),
    text("mesh.admin_token", &["ADMIN_API_TOKEN"]),
    text("mesh.portal_service_token", &["PORTAL_SERVICE_TOKEN"]),
    Setting { path: "mesh.allowed_admin_ips", aliases: &["ALLOWED_ADMIN_IPS"], kind: Kind::List },
    Setting { path: "mesh.allowed_ui_ips", aliases: &["ALLOWED_UI_IPS"], kind: Kind::List },
    Setting { path: "mesh.trusted_proxies", aliases: &[], kind: Kind::List },
    aliased_number("mesh.fee_bps", &["COORDINATOR_FEE_BPS"], 0, 10_000, 150),
    number("mesh.max_price", 0, 1_000_000, 1000),
    text("mesh.inference_bind", &[]),
    text("mesh.inference_url", &["INFERENCE_URL"]),
    text("mesh.inference_token", &["INFERENCE_AUTH_TOKEN"]),
    text("mesh.inference_coordinator_peer_id", &["INFERENCE_COORDINATOR_PEER_ID"]),
    text("mesh.inference_coordinator_key", &["INFERENCE_COORDINATOR_PUBLIC_KEY_PEM"]),
    Setting {
        path: "mesh.inference_signed",
        aliases: &["INFERENCE_REQUIRE_SIGNED_COORDINATOR_REQUESTS"],
        kind: Kind::Idle("requests to the inference service are always signed"),
    },
    text("mesh.model_provider", &["LOCAL_MODEL_PROVIDER"]),
    text("mesh.engine_url", &["OLLAMA_HOST"]),
    Setting { path: "mesh.ollama_auto_install", aliases: &["OLLAMA_AUTO_INSTALL"], kind: Kind::Flag },
    Setting { path: "mesh.inference_models", aliases: &["OLLAMA_MODEL"], kind: Kind::List },
    number("mesh.inference_input_price", 0, 1_000_000, 10),
    number("mesh.inference_output_price", 0, 1_000_000, 30),
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
    pub(super) fn variable(&self) -> String {
        format!("NANOSCALE_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }
}

pub(super) fn setting(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// A file with every setting that has a default.
pub(in crate::config) fn default_file() -> String {
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

/// The setting that was probably meant.
pub(super) fn nearest(path: &str) -> String {
    let close = SETTINGS.iter().map(|setting| setting.path).find(|known| {
        let same = known.chars().filter(|c| path.contains(*c)).count();
        known.len().abs_diff(path.len()) <= 2
            && same + 2 >= known.len()
            && known.split('.').next() == path.split('.').next()
            || known.rsplit('.').next() == Some(path)
    });
    close.map(|close| format!("; did you mean {close}?")).unwrap_or_default()
}

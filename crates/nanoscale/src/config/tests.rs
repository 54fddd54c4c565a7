use super::*;

fn read(json: &str, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::fs::write(&file, json).unwrap();
    let mut values = Values::default();
    values.read_file(&file);
    values.read_variables(&variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>());
    build(values, false, None)
}

#[test]
fn the_guides_file_works() {
    let config = read(
        r#"{"database_path":"/opt/nanoscale/data/nanoscale.db","tls_email":"admin@mydomain.com",
            "orchestrator":{"bind_address":"0.0.0.0:4000","server_id":"orchestrator-local","server_name":"orchestrator",
            "worker_ip":"127.0.0.1","base_domain":" MyDomain.com. "},
            "worker":{"orchestrator_url":"http://127.0.0.1:4000","ip":"127.0.0.1","name":"worker-node","bind":"0.0.0.0:4000"}}"#,
        &[],
    )
    .unwrap();
    assert_eq!(config.database_url, "sqlite:/opt/nanoscale/data/nanoscale.db");
    assert_eq!(config.data_dir, Path::new("/opt/nanoscale/data"));
    assert_eq!(config.base_domain.as_str(), "mydomain.com");
    assert_eq!(config.worker_bind, Some(SocketAddr::from(([0, 0, 0, 0], 4000))));
    assert!(config.warnings.iter().any(|warning| warning.contains("orchestrator.worker_ip")));
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_paths() {
    let mistakes = read(
        r#"{"databse_path":"x","orchestrator":{"bind_address":"nonsense","base_domain":"http://x/","public_url":"x"},
            "limits":{"build_memory_mb":"much","drain_seconds":-1,"oops":1},"git":{"allow_hosts":"a"},"data_dir":"a\u0000b",
            "notifications":{"first_retry_ms":0},"metrics":{"token":"guessable"},"worker":{"bind":"4000","ip":"here"},"node":{"driver":"docker"}}"#,
        &[("NANOSCALE_LIMITS_UPLOAD_MB", "0")],
    )
    .unwrap_err()
    .0;
    for path in [
        "databse_path",
        "data_dir: has a control character",
        "orchestrator.bind_address",
        "orchestrator.base_domain",
        "limits.build_memory_mb",
        "limits.drain_seconds",
        "limits.oops",
        "git.allow_hosts",
        "limits.upload_mb",
        "orchestrator.public_url",
        "notifications.first_retry_ms",
        "metrics.token: has fewer than 16",
        "worker.bind",
        "worker.ip",
        "node.driver: `docker` is not `native` or `systemd`",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.contains(path)), "{path} is not in {mistakes:#?}");
    }
}

#[test]
fn the_variables_of_machine_logs_are_understood_and_mistakes_name_them() {
    let config = read(
        r#"{"machine_logs":{"ping_interval":"5s"}}"#,
        &[
            ("LOG_RETRIEVAL_DEFAULT_LIMIT", "20"),
            ("LOG_RETRIEVAL_MAX_LIMIT", "50"),
            ("LOG_STREAM_BUFFER_SIZE", "7"),
            ("LOG_READER_TIMEOUT", "1m30s"),
            ("LOG_STREAM_PONG_TIMEOUT", "500ms"),
            ("SYSINFO_DOCKER_STATS_TIMEOUT", "3s"),
        ],
    );
    let machine = config.unwrap().machine;
    assert_eq!((machine.page_lines, machine.page_lines_max, machine.stream_lines), (20, 50, 7));
    assert_eq!((machine.reader_timeout, machine.ping_interval), (Duration::from_secs(90), Duration::from_secs(5)));
    assert_eq!(machine.pong_timeout, Duration::from_millis(500));
    assert_eq!(machine.docker_list_timeout, Duration::from_secs(10));
    assert_eq!(machine.docker_stats_timeout, Duration::from_secs(3));
    let mistakes = read(
        r#"{"machine_logs":{"pong_timeout":90,"page_lines":500,"page_lines_max":100}}"#,
        &[
            ("LOG_READER_TIMEOUT", "30"),
            ("LOG_STREAM_PING_INTERVAL", "-1s"),
            ("LOG_STREAM_BUFFER_SIZE", "many"),
            ("SYSINFO_DOCKER_LIST_TIMEOUT", "99h"),
        ],
    );
    let mistakes = mistakes.unwrap_err().0;
    for name in [
        "machine_logs.page_lines: is more",
        "LOG_STREAM_PONG_TIMEOUT",
        "LOG_READER_TIMEOUT",
        "LOG_STREAM_PING_INTERVAL",
        "LOG_STREAM_BUFFER_SIZE",
        "SYSINFO_DOCKER_LIST_TIMEOUT",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.contains(name)), "{name} is not in {mistakes:#?}");
    }
}

#[test]
fn a_workspaces_time_is_in_seconds_and_its_variable_in_milliseconds() {
    let timeout = |json: &str, value: &str| {
        read(json, &[("PROVISIONING_TIMEOUT_MS", value)]).map(|config| config.limits.workspace_timeout)
    };
    let file = r#"{"limits":{"workspace_timeout_seconds":30}}"#;
    assert_eq!(timeout("{}", "").unwrap(), Duration::from_secs(600));
    assert_eq!(timeout(file, "").unwrap(), Duration::from_secs(30));
    assert_eq!(timeout(file, "1800000").unwrap(), Duration::from_secs(1800));
    assert_eq!(timeout(file, "1500").unwrap(), Duration::from_secs(2));
    assert!(timeout("{}", "soon").unwrap_err().0[0].contains("PROVISIONING_TIMEOUT_MS"));
    assert!(timeout("{}", "0").is_err());
}

#[test]
fn the_variables_of_runtime_limits_are_understood_and_mistakes_name_them() {
    let runtime = read("{}", &[]).unwrap().runtime;
    assert_eq!((runtime.env_vars, runtime.files, runtime.path_length), (150, 50, 256));
    assert_eq!((runtime.value_bytes, runtime.content_bytes), (8192, 131_072));
    let names = [
        "MAX_PROJECT_RUNTIME_ENV_VARS_PER_PROJECT",
        "MAX_PROJECT_RUNTIME_FILES_PER_PROJECT",
        "MAX_PROJECT_RUNTIME_ENV_VALUE_BYTES",
        "MAX_PROJECT_RUNTIME_FILE_CONTENT_BYTES",
        "MAX_PROJECT_RUNTIME_FILE_PATH_LENGTH",
    ];
    let runtime = read("{}", &names.map(|name| (name, "7"))).unwrap().runtime;
    assert_eq!((runtime.env_vars, runtime.files, runtime.path_length), (7, 7, 7));
    assert_eq!((runtime.value_bytes, runtime.content_bytes), (7, 7));
    for wrong in ["0", "-1", "NaN", "1.5"] {
        let mistakes = read("{}", &names.map(|name| (name, wrong))).unwrap_err().0;
        assert!(names.iter().all(|name| mistakes.iter().any(|it| it.contains(name))), "{wrong}: {mistakes:#?}");
    }
}

#[test]
fn ports_of_workspaces_share_no_host_with_the_dashboard() {
    let with = |workspaces: &str| {
        let public_url = r#""orchestrator":{"public_url":"https://cloud.example.com"}"#;
        read(&format!(r#"{{{public_url},"workspaces":{{{workspaces}}}}}"#), &[]).map(|config| config.own_ports)
    };
    let own = with(r#""ports_url":"https://ports.example.com/","ports":"20000-20063""#).unwrap().unwrap();
    assert_eq!((own.origin.as_str(), own.numbers), ("https://ports.example.com", 20_000..=20_063));
    assert_eq!(with("").unwrap(), None);
    for (wrong, path) in [
        (r#""ports_url":"https://cloud.example.com","ports":"20000-20063""#, "workspaces.ports_url"),
        (r#""ports_url":"https://ports.localhost","ports":"20000-20063""#, "workspaces.ports_url: an app could"),
        (r#""ports_url":"nonsense","ports":"20000-20063""#, "workspaces.ports_url: `nonsense`"),
        (r#""ports_url":"https://ports.example.com:1/","ports":"20000-20063""#, "workspaces.ports_url"),
        (r#""ports_url":"http://127.0.0.1","ports":"20000-20063""#, "workspaces.ports_url"),
        (r#""ports_url":"https://me@ports.example.com","ports":"20000-20063""#, "workspaces.ports_url"),
        (r#""ports":"20000-20063""#, "workspaces.ports_url"),
        (r#""ports_url":"https://ports.example.com""#, "workspaces.ports:"),
        (r#""ports_url":"https://ports.example.com","ports":"20063-20000""#, "workspaces.ports:"),
        (r#""ports_url":"https://ports.example.com","ports":"20000""#, "workspaces.ports:"),
        (r#""ports_url":"https://ports.example.com","ports":"80-90""#, "workspaces.ports:"),
        (r#""ports_url":"https://ports.example.com","ports":"20000-30000""#, "workspaces.ports:"),
    ] {
        let mistakes = with(wrong).unwrap_err().0;
        assert!(mistakes.len() == 1 && mistakes[0].contains(path), "{wrong}: {mistakes:#?}");
    }
}

#[test]
fn variables_override_the_file() {
    let config = read(
        r#"{"data_dir":"/a","edge":{"http_bind":"127.0.0.1:1"}}"#,
        &[
            ("NANOSCALE_EDGE_HTTP_BIND", "127.0.0.1:2"),
            ("NANOSCALE_GIT_ALLOW_HOSTS", "a:1, b"),
            ("NANOSCALE_NODE_DRIVER", "systemd"),
        ],
    )
    .unwrap();
    assert_eq!(config.edge_http_bind.port(), 2);
    assert_eq!(config.git_allow_hosts, ["a:1", "b"]);
    assert_eq!(config.driver, Driver::Systemd);
}

#[test]
fn the_default_file_is_valid() {
    assert!(read(&default_file(), &[]).is_ok());
}

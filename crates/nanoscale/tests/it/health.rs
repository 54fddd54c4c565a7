use reqwest::Method;

use crate::server;

#[tokio::test]
async fn health_says_ok_and_503_when_the_database_is_gone() {
    let server = server().database(testkit::Database::Sqlite).start().await;
    let client = server.client();
    let get = async |path: &str| client.raw(Method::GET, path).send().await.unwrap();
    assert_eq!(get("/api/health").await.text().await.unwrap(), r#"{"status":"ok"}"#);
    let detail: api::HealthDetail = get("/health").await.json().await.unwrap();
    assert_eq!(detail.version, env!("CARGO_PKG_VERSION"));
    assert!(detail.time.ends_with('Z'));
    std::fs::rename(server.data_dir().join("server/nanoscale.db"), server.data_dir().join("server/moved.db")).unwrap();
    for path in ["/api/health", "/health"] {
        let response = get(path).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.json::<api::ErrorBody>().await.unwrap().error, "DATABASE_UNAVAILABLE");
    }
    std::fs::rename(server.data_dir().join("server/moved.db"), server.data_dir().join("server/nanoscale.db")).unwrap();
    assert_eq!(get("/api/health").await.status(), 200);
}

#[tokio::test]
async fn a_server_stops_in_time_and_its_directory_is_its_own() {
    let mut server = server().start().await;
    let second = std::process::Command::new(crate::program())
        .args(["serve", "--config"])
        .arg(server.config_path())
        .env("NANOSCALE_ORCHESTRATOR_BIND_ADDRESS", "127.0.0.1:0")
        .env("NANOSCALE_EDGE_HTTP_BIND", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another nanoscale works in"), "{second:?}");
    // Streams to browsers do not hold it up.
    let client = server.setup().await;
    let _events = client.events(None).await.unwrap();
    let stop = std::time::Instant::now();
    server.terminate();
    assert!(stop.elapsed() < std::time::Duration::from_secs(4), "{:?}", stop.elapsed());
    server.restart().await;
    assert_eq!(server.client().status().await.unwrap().users_count, 1);
}

#[tokio::test]
async fn the_node_tells_what_it_can_enforce_and_what_it_uses() {
    let server = server().start().await;
    let client = server.setup().await;
    let nodes = client.nodes().await.unwrap();
    assert_eq!(nodes.len(), 1);
    assert!(nodes[0].embedded);
    for name in [
        "memory_limit",
        "pid_namespace",
        "mount_namespace",
        "landlock",
        "seccomp",
        "own_uid",
        "memory_pressure",
        "cpu_yielding",
        "driver",
    ] {
        let capability = nodes[0].capabilities.iter().find(|it| it.name == name);
        assert!(capability.is_some_and(|it| !it.detail.is_empty()), "{name}");
    }
    testkit::wait_until("samples come in", testkit::PATIENCE, async || {
        client.node_metrics(&nodes[0].id).await.is_ok_and(|history| !history.samples.is_empty())
    })
    .await;
    let metrics = client.node_get(&nodes[0].id).await.unwrap().metrics.unwrap();
    assert!(metrics.memory_total_bytes > metrics.memory_used_bytes && metrics.memory_used_bytes > 0);
    assert!(metrics.disk_total_bytes > 0 && metrics.cpu_cores > 0 && (0.0..=100.0).contains(&metrics.cpu_percent));
}

/// Ends the process with the test, however that ends.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_server_takes_all_the_open_files_it_may_have() {
    let mut server = server().start().await;
    server.terminate();
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", r#"ulimit -Sn 100 && exec "$0" serve --config "$1""#, crate::program()])
        .arg(server.config_path());
    let child = Ends(shell.stdout(std::process::Stdio::null()).spawn().unwrap());
    let (exe, limits) = (format!("/proc/{}/exe", child.0.id()), format!("/proc/{}/limits", child.0.id()));
    testkit::wait_until("the soft limit is the hard one", testkit::PATIENCE, async || {
        // Before, it is the shell that has the limits of this test.
        let is_server =
            std::fs::read_link(&exe).is_ok_and(|exe| exe == std::fs::canonicalize(crate::program()).unwrap());
        let limits = std::fs::read_to_string(&limits).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let values = line.split_whitespace().collect::<Vec<_>>();
        is_server && values[0] == values[1]
    })
    .await;
}

//! What a machine logs, and what it is.

mod docker;
mod page;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use ids::{LogLevel, MachineLogSource, NodeId};
use reqwest::Method;
use serde_json::json;
use testkit::{Builder, Client, Database, MachineLogEvent, PATIENCE, Part, Postgres, Sse, TestServer, wait_until};

use crate::server;

/// A server whose machine has logs of cloud-init in `directory`.
fn with_cloud_init(directory: &Path) -> Builder {
    server().config(json!({"machine_logs": {"cloud_init_dir": directory}}))
}

async fn start(builder: Builder) -> (TestServer, Client, NodeId) {
    let server = builder.start().await;
    let admin = server.setup().await;
    let node = admin.nodes().await.unwrap().remove(0).id;
    (server, admin, node)
}

fn append(directory: &Path, name: &str, lines: &str) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(directory.join(name)).unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

fn python(second: usize, text: &str) -> String {
    format!("2024-06-04 08:22:{second:02},000 - util.py[INFO]: {text}\n")
}

fn messages(entries: &[api::MachineLogEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.message.rsplit(": ").next().unwrap()).collect()
}

/// All pages of a query, each of `limit` lines at most; `between` happens after each of them.
async fn pages(
    admin: &Client,
    node: &NodeId,
    query: &str,
    limit: usize,
    mut between: impl FnMut(usize),
) -> Vec<api::MachineLogEntry> {
    let mut entries = Vec::new();
    let mut next = String::new();
    for page in 0.. {
        let found = admin.machine_log_page(node, &format!("{query}&limit={limit}{next}")).await.unwrap();
        assert_eq!(found.has_more, found.next_cursor.is_some());
        assert!(found.entries.len() == limit || !found.has_more, "a short page");
        entries.extend(found.entries);
        let Some(cursor) = found.next_cursor else { break };
        assert!(cursor.len() <= 512 && page < 1000, "{}", cursor.len());
        next = format!("&cursor={cursor}");
        between(page);
    }
    entries
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_lines_come() {
    let directory = tempfile::tempdir().unwrap();
    // Both files have lines of the same times.
    let (mut log, mut output) = (String::new(), String::new());
    for n in 0..60 {
        log.push_str(&python(n / 10, &format!("a{n}")));
        if n % 20 == 0 {
            let second = n / 10;
            let stage = format!(
                "Cloud-init v. 22.4.2 running 'init' at Tue, 04 Jun 2024 08:22:{second:02} +0000. Up 5.20 seconds."
            );
            writeln!(output, "{stage}").unwrap();
        }
        writeln!(output, "said: b{n}").unwrap();
    }
    append(directory.path(), "cloud-init.log", &log);
    append(directory.path(), "cloud-init-output.log", &output);
    let (_server, admin, node) = start(with_cloud_init(directory.path())).await;
    let all = admin.machine_log_page(&node, "source=cloud-init&limit=1000").await.unwrap();
    assert_eq!((all.entries.len(), all.has_more, all.unavailable.len()), (123, false, 0));
    assert!(all.entries.is_sorted_by_key(|entry| std::cmp::Reverse(entry.timestamp.clone())));
    let of = |letter: char| messages(&all.entries).into_iter().filter(|it| it.starts_with(letter)).count();
    assert_eq!((of('a'), of('b')), (60, 60));
    let mut late = 0;
    for limit in [7, 41, 123] {
        let there = late;
        let found = pages(&admin, &node, "source=cloud-init", limit, |page| {
            append(directory.path(), "cloud-init.log", &python(59, &format!("late {page}")));
            append(directory.path(), "cloud-init-output.log", "late\n");
            late += 2;
        })
        .await;
        let (new, old) = found.into_iter().partition::<Vec<_>, _>(|entry| entry.message.contains("late"));
        assert_eq!(old, all.entries, "{limit}");
        // What came after the first page belongs to none of them.
        assert_eq!(new.len(), there, "{limit}");
    }
    let found = pages(&admin, &node, "source=cloud-init&search=A5", 3, |_| {}).await;
    assert_eq!(messages(&found), ["a59", "a58", "a57", "a56", "a55", "a54", "a53", "a52", "a51", "a50", "a5"]);
    let between = "source=cloud-init&search=UTIL&since=2024-06-04T08:22:04Z&until=2024-06-04T08:22:05Z";
    let between = pages(&admin, &node, between, 4, |_| {}).await;
    assert_eq!(messages(&between), ["a49", "a48", "a47", "a46", "a45", "a44", "a43", "a42", "a41", "a40"]);
}

#[tokio::test]
async fn the_nodes_own_log_is_read_back_while_it_grows_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    append(directory.path(), "cloud-init.log", &python(0, "the machine's first start"));
    let (mut server, admin, node) =
        start(with_cloud_init(directory.path()).env("LOG_LEVEL", "debug").env("LOG_FORMAT", "json")).await;
    wait_until("the node has said something", PATIENCE, async || {
        // Each request makes it say more.
        let page = admin.machine_log_page(&node, "source=agent&level=debug&limit=100").await.unwrap();
        page.entries.len() == 100
    })
    .await;
    let all = admin.machine_log_page(&node, "source=agent&level=debug&limit=1000").await.unwrap();
    let found = pages(&admin, &node, "source=agent&level=debug", 40, |_| {}).await;
    assert!(found.ends_with(&all.entries[..]) || all.has_more, "{} of {}", found.len(), all.entries.len());
    assert!(found.len() >= all.entries.len());
    assert!(found.iter().all(|entry| entry.source == "agent" && entry.metadata.contains_key("target")));
    let json = server.output().lines().any(|line| line.starts_with("{\"timestamp\""));
    assert!(json, "{}", server.output());

    // All sources together, each line once, although some cannot be read here.
    let page = admin.machine_log_page(&node, "level=debug&limit=1000").await.unwrap();
    assert!(page.entries.iter().any(|entry| entry.source == "agent"));
    assert!(page.has_more || page.entries.last().unwrap().source == "cloud-init");
    server.terminate();
    server.restart().await;
    let search = async |text: &str| {
        let query = format!("source=agent&level=debug&search={text}");
        pages(&admin, &node, &query, 500, |_| {}).await.len()
    };
    assert_eq!(search("STOPPING;%20apps").await, 1, "what it said last");
}

#[tokio::test]
async fn a_source_that_is_not_there_is_said_and_no_filter_is_taken_for_none() {
    let directory = tempfile::tempdir().unwrap();
    let (server, admin, node) =
        start(with_cloud_init(&directory.path().join("missing")).env("LOG_LEVEL", "debug")).await;
    let page = admin.machine_log_page(&node, "source=cloud-init").await.unwrap();
    assert_eq!((page.entries.len(), page.has_more, page.unavailable.len()), (0, false, 1));
    assert_eq!(page.unavailable[0].source, MachineLogSource::CloudInit);
    assert!(page.unavailable[0].reason.contains("missing has no logs"), "{:?}", page.unavailable);
    let page = admin.machine_log_page(&node, "").await.unwrap();
    assert!(page.unavailable.iter().any(|it| it.source == MachineLogSource::CloudInit), "{:?}", page.unavailable);
    assert!(page.entries.iter().all(|entry| entry.level as u8 <= LogLevel::Info as u8));
    let refused = async |path: String, header: Option<&str>| {
        let request = admin.raw(Method::GET, &format!("/api/nodes/{node}/logs{path}"));
        let request = header.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<api::ErrorBody>().await.unwrap())
    };
    for (query, code) in [
        ("source=kernel", "INVALID_SOURCE"),
        ("source=docker:..%2F..", "INVALID_CONTAINER"),
        ("source=docker:--help", "INVALID_CONTAINER"),
        ("source=agent&container=web", "NOT_WITH_SOURCE"),
        ("unit=ssh.service", "INVALID_UNIT"),
        ("level=loud", "INVALID_LEVEL"),
        ("since=yesterday", "INVALID_TIME"),
        ("since=-1h&until=-2h", "INVALID_TIME"),
        ("cursor=AAAA", "INVALID_CURSOR"),
        ("cursor=%00", "INVALID_CURSOR"),
        ("limit=0", "INVALID_LIMIT"),
        ("limit=-1", "INVALID_REQUEST"),
        ("levle=error", "INVALID_REQUEST"),
    ] {
        let (status, body) = refused(format!("?{query}"), None).await;
        assert_eq!((status, body.error.as_str()), (400, code), "{query}");
        assert!(!body.message.is_empty());
    }
    for (query, id, code) in [
        ("until=-1h", None, "NOT_ON_STREAM"),
        ("limit=5", None, "NOT_ON_STREAM"),
        ("after=AAAA", None, "INVALID_CURSOR"),
        ("", Some("AAAA"), "INVALID_CURSOR"),
        ("level=x", None, "INVALID_LEVEL"),
    ] {
        let (status, body) = refused(format!("/stream?{query}"), id).await;
        assert_eq!((status, body.error.as_str()), (400, code), "{query}");
    }
    // A cursor is only good for what it came from.
    let cursor = admin.machine_log_page(&node, "source=agent&level=debug&limit=1").await.unwrap().next_cursor.unwrap();
    let mut other = cursor.clone().into_bytes();
    other[20] = if other[20] == b'A' { b'B' } else { b'A' };
    let other = String::from_utf8(other).unwrap();
    for query in
        [format!("source=agent&level=debug&cursor={other}"), format!("source=agent&level=warn&cursor={cursor}")]
    {
        assert_eq!(refused(format!("?{query}"), None).await.0, 400, "{query}");
    }
    assert!(admin.machine_log_page(&node, &format!("source=agent&level=debug&limit=2&cursor={cursor}")).await.is_ok());
    let missing = admin.machine_log_page("01j9z3k4w5x6y7z8a9b0c1d2e3", "").await.unwrap_err();
    assert_eq!(missing.status, 404);
    drop(server);
}

/// The lines of a stream up to what is said when all has been given.
async fn caught_up(stream: &mut Sse<MachineLogEvent>) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    loop {
        match stream.next().await.expect("the stream goes on") {
            MachineLogEvent::Entry(entry) => lines.push(entry.message.rsplit(": ").next().unwrap().to_owned()),
            MachineLogEvent::CaughtUp(caught_up) => return (lines, caught_up.count),
            MachineLogEvent::Unavailable(_) | MachineLogEvent::Begin {} => {}
        }
    }
}

async fn line(stream: &mut Sse<MachineLogEvent>) -> String {
    match stream.next().await.expect("the stream goes on") {
        MachineLogEvent::Entry(entry) => entry.message.rsplit(": ").next().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_catches_up_goes_on_and_is_resumed_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let log = (0..20).map(|n| python(n, &format!("n{n}"))).collect::<String>();
    append(directory.path(), "cloud-init.log", &log);
    let builder = with_cloud_init(directory.path()).env("LOG_STREAM_BUFFER_SIZE", "5");
    let (mut server, admin, node) = start(builder.env("LOG_STREAM_PING_INTERVAL", "200ms")).await;
    let query = "source=cloud-init";
    let mut stream = admin.follow_machine_logs(&node, query, None).await.unwrap();
    while stream.next().await.unwrap() != (MachineLogEvent::Begin {}) {}
    let begin = stream.last_id().unwrap();
    let older = admin.machine_log_page(&node, &format!("{query}&limit=3&cursor={begin}")).await.unwrap();
    assert_eq!(messages(&older.entries), ["n14", "n13", "n12"]);
    let (lines, count) = caught_up(&mut stream).await;
    assert_eq!((lines, count), (["n15", "n16", "n17", "n18", "n19"].map(str::to_owned).to_vec(), 5));
    append(directory.path(), "cloud-init-output.log", "said: first\n");
    assert_eq!(line(&mut stream).await, "first");
    append(directory.path(), "cloud-init.log", &python(30, "n20"));
    assert_eq!(line(&mut stream).await, "n20");
    let id = stream.last_id().unwrap().to_owned();
    assert!(id.len() <= 512);
    drop(stream);
    // More than are given out at a time, and the server is another process.
    let more = (0..1500).map(|n| python(30 + n / 100, &format!("more{n}"))).collect::<String>();
    append(directory.path(), "cloud-init.log", &more);
    server.restart().await;
    let mut stream = admin.follow_machine_logs(&node, query, Some(&id)).await.unwrap();
    let (lines, count) = caught_up(&mut stream).await;
    assert_eq!((lines.len(), count), (1500, 1500));
    assert_eq!((lines[0].as_str(), lines[1499].as_str()), ("more0", "more1499"));
    // Between two lines of the middle as well.
    let mut stream = admin.follow_machine_logs(&node, query, Some(&id)).await.unwrap();
    for _ in 0..700 {
        line(&mut stream).await;
    }
    let id = stream.last_id().unwrap().to_owned();
    let mut stream = admin.follow_machine_logs(&node, query, Some(&id)).await.unwrap();
    assert_eq!(line(&mut stream).await, "more700");
    // Filters hold, and nothing is asked twice.
    let mut stream = admin.follow_machine_logs(&node, "source=cloud-init&search=WANTED", None).await.unwrap();
    assert_eq!(caught_up(&mut stream).await, (Vec::new(), 0));
    append(directory.path(), "cloud-init.log", &(python(59, "unasked") + &python(59, "wanted")));
    assert_eq!(line(&mut stream).await, "wanted");
    // Whoever is signed out hears no more.
    admin.logout().await.unwrap();
    wait_until("the stream ends", PATIENCE, async || stream.next().await.is_none()).await;
    assert_eq!(admin.machine_log_page(&node, "").await.unwrap_err().status, 401);
}

#[tokio::test]
async fn a_machine_says_what_it_is() {
    let (server, admin, node) = start(server()).await;
    let info = admin.system_info(&node).await.unwrap();
    assert!(!info.hostname.is_empty() && info.kernel.starts_with("Linux ") && info.uptime_seconds > 0);
    assert!(info.cpu.cores > 0 && info.memory.total_bytes > info.memory.used_bytes);
    assert!(info.disks.iter().any(|disk| disk.mount == "/" && disk.used_bytes <= disk.total_bytes), "{:?}", info.disks);
    assert!(info.software.iter().any(|software| software.name == "git"), "{:?}", info.software);
    let pid = server.pid_of(Part::Node).or(server.pid());
    assert_eq!((info.agent.version.as_str(), Some(info.agent.pid)), (env!("CARGO_PKG_VERSION"), pid));
    assert!(info.agent.memory_bytes > 0);
    // Whether Docker is there or not, no containers and no answer are two things.
    let docker = &info.docker;
    assert_eq!(docker.version.is_some(), docker.installed && docker.error.is_none(), "{docker:?}");
    // It is read once for several who look at it.
    assert_eq!(admin.system_info(&node).await.unwrap().time, info.time);
    let missing = admin.system_info("01j9z3k4w5x6y7z8a9b0c1d2e3").await.unwrap_err();
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn only_administrators_read_what_machines_log() {
    let url = Postgres::shared().database();
    let (_server, client, node) = start(server().database(Database::Postgres(url.clone()))).await;
    assert!(client.machine_log_page(&node, "").await.is_ok());
    Postgres::shared().psql(&url, "update users set role = 'user'");
    let failure = client.machine_log_page(&node, "").await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (403, "ADMIN_ONLY"));
    let failure = client.follow_machine_logs(&node, "", None).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (403, "ADMIN_ONLY"));
    assert!(client.system_info(&node).await.is_ok());
}

/// A unit of systemd's that runs a script to its end.
fn run_unit(unit: &str, script: &str) {
    let unit = format!("--unit={unit}");
    let mut run = std::process::Command::new("systemd-run");
    // Without a description systemd says the script itself when it starts it.
    run.args(["--wait", "--quiet", "--description=a test", &unit, "sh", "-c", script]);
    assert!(run.status().unwrap().success());
}

#[tokio::test]
async fn units_in_the_journal_are_read_or_their_absence_is_said() {
    let (_server, admin, node) = start(server()).await;
    if !Path::new("/run/systemd/system").exists() {
        let page = admin.machine_log_page(&node, "source=systemd").await.unwrap();
        assert_eq!(page.unavailable[0].source, MachineLogSource::Systemd);
        return;
    }
    let unit = format!("nanoscale-test-{}", testkit::random_secret());
    run_unit(&unit, "for n in $(seq 30); do echo line $n; done; echo '<4>warned'; echo '<7>detail'");
    let query = format!("unit={unit}.service&level=debug&search=line");
    wait_until("the journal has it", PATIENCE, async || {
        admin.machine_log_page(&node, &query).await.unwrap().entries.len() == 30
    })
    .await;
    let expected = (1..=30).rev().map(|n| format!("line {n}")).collect::<Vec<_>>();
    for limit in [7, 29, 30] {
        let found = pages(&admin, &node, &query, limit, |page| {
            // Others write meanwhile, into the same journal and of the same unit.
            if page == 0 {
                run_unit(&unit, "echo line late");
            }
        })
        .await;
        let found = messages(&found).into_iter().filter(|line| *line != "line late").collect::<Vec<_>>();
        assert_eq!(found, expected, "{limit}");
    }
    let page = admin.machine_log_page(&node, &format!("unit={unit}.service&level=warn")).await.unwrap();
    assert_eq!(messages(&page.entries), ["warned"]);
    let mut stream = admin.follow_machine_logs(&node, "source=systemd&search=followed", None).await.unwrap();
    assert_eq!(caught_up(&mut stream).await, (Vec::new(), 0));
    run_unit(&unit, "echo followed 1");
    assert_eq!(line(&mut stream).await, "followed 1");
    let id = stream.last_id().unwrap().to_owned();
    drop(stream);
    run_unit(&unit, "echo followed 2");
    let mut stream = admin.follow_machine_logs(&node, "source=systemd&search=followed", Some(&id)).await.unwrap();
    assert_eq!(line(&mut stream).await, "followed 2");
}

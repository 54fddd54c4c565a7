//! Logs under load and over time: what floods, what is read by many, what is kept.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ids::{DeploymentId, ProjectId};
use serde_json::json;
use testkit::{LogsQuery, TestServer, wait_some, wait_until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::apps::{archive, deploy, project};
use crate::{BUILD, server};

/// How long a process's use of the processor is watched.
const WATCHED: Duration = Duration::from_secs(3);

/// Writes a line for every request, and runs `code` first.
fn chatty(code: &str) -> Vec<u8> {
    let script = format!(
        "{code}; require('node:http').createServer((q, r) => {{ console.log('asked ' + q.url); r.end('ok'); }})\
         .listen(process.env.PORT);"
    );
    archive(&[("package.json", "{}"), ("index.js", &script)])
}

fn texts(lines: &[api::LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

fn log_dir(server: &TestServer, project: &ProjectId, deployment: &DeploymentId) -> PathBuf {
    server.data_dir().join("node/logs").join(project.as_str()).join(deployment.as_str()).join("run")
}

fn size(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    // A file may go meanwhile.
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// The process that works for a deployment: it lives in the run's directory.
fn shim_of(server: &TestServer, deployment: &DeploymentId) -> u32 {
    let run = server.data_dir().join("node/runs").join(deployment.as_str());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut shims = pids.filter(|pid| {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == run)
            && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"\0shim\0"))
    });
    shims.next().expect("the deployment has a shim")
}

/// Time on a processor, over all threads (proc(5): utime and stime, in hundredths of a second).
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().collect::<Vec<_>>();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

/// The share of one processor that a process takes while `meanwhile` is done again and again.
async fn load(pid: u32, mut meanwhile: impl AsyncFnMut()) -> f64 {
    let (began, before) = (Instant::now(), cpu(pid));
    wait_until("the time has passed", WATCHED * 10, async || {
        meanwhile().await;
        began.elapsed() > WATCHED
    })
    .await;
    (cpu(pid) - before).as_secs_f64() / began.elapsed().as_secs_f64()
}

/// Asks a shim how its process does.
async fn status(server: &TestServer, deployment: &DeploymentId) -> String {
    // The path may be too long for a socket's address (unix(7)).
    let run = std::fs::File::open(server.data_dir().join("node/runs").join(deployment.as_str())).unwrap();
    let path = format!("/proc/self/fd/{}/shim.sock", run.as_raw_fd());
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    stream.write_all(b"{\"op\":\"status\"}\n").await.unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_waits_for_its_log_and_disturbs_nobody() {
    let server = server().config(json!({"limits": {"log_mb": 2}})).start().await;
    let client = server.setup().await;
    let (flood, quiet) = (project(&client, "flood").await, project(&client, "quiet").await);
    deploy(&client, &quiet, chatty("")).await;
    // Opened anew, as node makes its own end one that does not wait.
    let yes = "require('node:child_process').spawn('sh', ['-c', 'exec yes > /dev/stdout'], {stdio: 'inherit'})";
    let flooding = deploy(&client, &flood, chatty(yes)).await;
    let log = log_dir(&server, &flood, &flooding.id);
    let mut follow =
        client.follow_project_logs(&quiet, &LogsQuery { limit: Some(1), ..LogsQuery::default() }).await.unwrap();
    let visitor = server.app("quiet.localhost");
    let mut asked = 0;
    let share = load(shim_of(&server, &flooding.id), async || {
        asked += 1;
        visitor.get(&format!("/{asked}")).await.unwrap();
        let wanted = format!("asked /{asked}");
        let line = wait_some("the quiet app's line", Duration::from_secs(10), async || {
            follow.next().await.filter(|line| line.text == wanted)
        });
        line.await;
        let began = Instant::now();
        assert!(status(&server, &flooding.id).await.contains("\"pid\""));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(size(&log) < 4 << 20, "{}", size(&log));
    });
    let share = share.await;
    let newest = client.project_logs(&flood, &LogsQuery { limit: Some(1), ..LogsQuery::default() }).await.unwrap();
    assert_eq!(texts(&newest), ["y"]);
    println!("the flood's shim took {share:.2} of a processor; {asked} lines of the other app came meanwhile");
    assert!(share < 0.6, "{share}");
    let began = Instant::now();
    client.project_delete(&flood).await.unwrap();
    client.wait_deleted(&flood, BUILD).await;
    println!("it was gone after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_is_not_lost_and_its_owner_is_told() {
    let server = server().config(json!({"limits": {"log_mb": 64}})).start().await;
    let client = server.setup().await;
    let id = project(&client, "burst").await;
    let burst = "let n = 0; const more = () => { while (n < 150000) \
        if (!process.stdout.write(`line ${++n}\\n`)) return process.stdout.once('drain', more); console.log('done'); }; more()";
    let deployment = deploy(&client, &id, chatty(burst)).await;
    let search = |text: &str| LogsQuery { search: Some(text.into()), ..LogsQuery::default() };
    wait_until("the last line", BUILD, async || !client.project_logs(&id, &search("done")).await.unwrap().is_empty())
        .await;
    let told = client.project_logs(&id, &search("nothing is lost")).await.unwrap();
    assert!(told.len() == 1 && told[0].stream == ids::LogStream::Sys, "{told:?}");
    let mut segments = std::fs::read_dir(log_dir(&server, &id, &deployment.id))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect::<Vec<_>>();
    segments.sort();
    let all = segments.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>();
    let numbers =
        all.lines().filter_map(|line| line.split_once("\"m\":\"line ")?.1.strip_suffix("\"}")?.parse::<u32>().ok());
    assert!(numbers.eq(1..=150_000));
}

//! What logs cost: one that floods, many who read.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use ids::DeploymentId;
use serde_json::json;
use testkit::{LogsQuery, TestServer, wait_some, wait_until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::{chatty, log_dir, size, texts};
use crate::apps::{deploy, project};
use crate::{BUILD, server};

/// How long a process's use of the processor is watched.
const WATCHED: Duration = Duration::from_secs(3);

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
    let burst =
        "let all = ''; for (let n = 1; n <= 300000; n++) all += `line ${n}\\n`; process.stdout.write(all + 'done\\n')";
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
    assert!(numbers.eq(1..=300_000));
}

fn threads(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_followers_of_a_quiet_log_cost_nothing_and_too_many_are_told() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "quiet").await;
    deploy(&client, &id, chatty("console.log('one line')")).await;
    let pid = server.pid().unwrap();
    let last = LogsQuery { limit: Some(1), ..LogsQuery::default() };
    let mut followers = Vec::new();
    for _ in 0..200 {
        let mut follow = client.follow_project_logs(&id, &last).await.unwrap();
        assert_eq!(follow.next().await.unwrap().text, "one line");
        followers.push(follow);
    }
    let share = load(pid, async || {}).await;
    println!("200 followers: {share:.3} of a processor, {} threads", threads(pid));
    assert!(share < 0.05, "{share}");
    assert!(threads(pid) < 40, "{}", threads(pid));
    // All of them hear of a line, soon.
    let began = Instant::now();
    server.app("quiet.localhost").get("/news").await.unwrap();
    for follow in &mut followers {
        assert_eq!(follow.next().await.unwrap().text, "asked /news");
    }
    println!("all had a line after {:?}; {} threads", began.elapsed(), threads(pid));
    assert!(threads(pid) < 40, "{}", threads(pid));
    for _ in 200..256 {
        followers.push(client.follow_project_logs(&id, &last).await.unwrap());
    }
    let refused = client.follow_project_logs(&id, &last).await.unwrap_err();
    assert_eq!((refused.status, refused.code()), (503, "TOO_MANY_READERS"), "{refused}");
    // Reading what is there is not following.
    assert_eq!(client.project_logs(&id, &last).await.unwrap().len(), 1);
    followers.truncate(255);
    wait_until("there is room again", Duration::from_secs(10), async || {
        client.follow_project_logs(&id, &last).await.is_ok()
    })
    .await;
}

//! Logs under load and over time: what floods, what is read by many, what is kept.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ids::{DeploymentId, ProjectId};
use serde_json::json;
use testkit::{Browser, LogsQuery, TestServer, wait_some, wait_until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::apps::{archive, deploy, project};
use crate::{BUILD, server};

/// How long a process's use of the processor is watched.
const WATCHED: Duration = Duration::from_secs(3);

/// Writes a line for every request but those of the probe, and runs `code` first.
fn chatty(code: &str) -> Vec<u8> {
    let script = format!(
        "{code}; require('node:http').createServer((q, r) => {{ if (q.url !== '/') console.log('asked ' + q.url); r.end('ok'); }})\
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

#[tokio::test]
async fn a_search_goes_over_all_releases_page_by_page() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let app = server.app("hello.localhost");
    let mut deployments = Vec::new();
    for release in 1..=3 {
        let stderr = format!("console.error('release {release} complains')");
        deployments.push(deploy(&client, &id, chatty(&stderr)).await);
        for n in 0..4 {
            app.get(&format!("/r{release}/n{n}")).await.unwrap();
        }
    }
    let search = |text: &str| LogsQuery { search: Some(text.into()), ..LogsQuery::default() };
    wait_until("all lines are there", BUILD, async || {
        client.project_logs(&id, &search("ASKED /R")).await.unwrap().len() == 12
    })
    .await;
    let mut query = LogsQuery { limit: Some(5), ..search("ASKED /R") };
    let mut found = Vec::new();
    loop {
        let page = client.project_log_page(&id, &query).await.unwrap();
        assert_eq!(page.position.is_some(), query.cursor.is_none());
        found.splice(0..0, page.lines.into_iter().map(|line| line.text));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let expected = (1..=3).flat_map(|release| (0..4).map(move |n| format!("asked /r{release}/n{n}")));
    assert_eq!(found, expected.collect::<Vec<_>>());

    let count = async |query: LogsQuery| client.project_logs(&id, &query).await.unwrap().len();
    let second = |deployment: String| LogsQuery { deployment: Some(deployment), ..search("r2") };
    assert_eq!(count(second("2".into())).await, 4);
    assert_eq!(count(second(deployments[1].id.to_string())).await, 4);
    assert_eq!(count(LogsQuery { deployment: Some("3".into()), ..search("r2") }).await, 0);
    let complaints =
        client.project_logs(&id, &LogsQuery { stream: Some("err"), ..LogsQuery::default() }).await.unwrap();
    assert_eq!(texts(&complaints), ["release 1 complains", "release 2 complains", "release 3 complains"]);
    let (from, to) = (complaints[1].time.clone(), complaints[2].time.clone());
    let between = LogsQuery { since: Some(from), until: Some(to), ..search("release") };
    assert_eq!(texts(&client.project_logs(&id, &between).await.unwrap()), ["release 2 complains"]);

    let token = client.token_create("shell").await.unwrap().token;
    let shell = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(crate::program());
        command.args(["logs", "hello", "--json"]).args(arguments).env_clear();
        command.env("NANOSCALE_URL", server.api_url()).env("NANOSCALE_TOKEN", &token);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str::<api::LogLine>(line).unwrap().text).collect::<Vec<_>>()
    };
    assert_eq!(shell(&["--search", "ASKED /R2/N", "--since", "2h", "--deployment", "2", "--no-follow"]).await.len(), 4);
    assert_eq!(shell(&["--search", "asked", "--limit", "1"]).await, ["asked /r3/n3"]);
    assert_eq!(shell(&["--stream", "err"]).await.len(), 3);
    assert!(shell(&["--until", "1h"]).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_the_field() {
    let server = server().start().await;
    let client = server.setup().await;
    let (id, other) = (project(&client, "hello").await, project(&client, "other").await);
    let foreign = deploy(&client, &other, chatty("")).await;
    let refused = async |query: &str| {
        let path = format!("/api/projects/{id}/logs?{query}");
        let response = client.raw(reqwest::Method::GET, &path).send().await.unwrap();
        (response.status().as_u16(), response.json::<api::ErrorBody>().await.unwrap().error)
    };
    for (query, status, code) in [
        ("since=yesterday".to_owned(), 400, "INVALID_TIME"),
        ("until=1".to_owned(), 400, "INVALID_TIME"),
        ("cursor=x".to_owned(), 400, "INVALID_CURSOR"),
        ("follow=true&after=x".to_owned(), 400, "INVALID_CURSOR"),
        ("follow=true&until=2030-01-01T00:00:00Z".to_owned(), 400, "NOT_WITH_FOLLOW"),
        ("follow=true&cursor=x".to_owned(), 400, "NOT_WITH_FOLLOW"),
        ("stream=nonsense".to_owned(), 400, "INVALID_REQUEST"),
        ("deployment=7".to_owned(), 404, "NOT_FOUND"),
        ("deployment=x".to_owned(), 404, "NOT_FOUND"),
        (format!("deployment={}", foreign.id), 404, "NOT_FOUND"),
    ] {
        assert_eq!(refused(&query).await, (status, code.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn who_comes_back_goes_on_where_he_was_over_a_change_of_releases() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    deploy(&client, &id, chatty("")).await;
    let app = server.app("hello.localhost");
    let mut follow = client.follow_project_logs(&id, &LogsQuery::default()).await.unwrap();
    let mut seen = Vec::new();
    let mut asked = 0;
    for round in 0..4 {
        for _ in 0..3 {
            app.get(&format!("/{asked}")).await.unwrap();
            asked += 1;
        }
        while seen.iter().filter(|text: &&String| text.starts_with("asked")).count() < asked - 2 {
            seen.push(follow.next().await.unwrap().text);
        }
        let after = follow.last_id().map(str::to_owned);
        drop(follow);
        match round {
            0 => drop(deploy(&client, &id, chatty("")).await),
            1 => server.restart().await,
            _ => {}
        }
        follow = client.follow_project_logs(&id, &LogsQuery { after, ..LogsQuery::default() }).await.unwrap();
    }
    while seen.iter().filter(|text| text.starts_with("asked")).count() < asked {
        seen.push(follow.next().await.unwrap().text);
    }
    let expected = (0..asked).map(|n| format!("asked /{n}")).collect::<Vec<_>>();
    seen.retain(|text| text.starts_with("asked"));
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_searches_back_and_loads_older_lines() {
    let server = server().start().await;
    let browser = Browser::start().await;
    let page = browser.page().await;
    page.resize(1280, 860).await;
    page.goto(&format!("{}/setup#code={}", server.api_url(), server.setup_code())).await;
    page.wait_for("document.querySelector('[data-testid=setup-form]')", BUILD).await;
    page.fill("input[name=username]", "ada").await;
    page.fill("input[name=password]", "correct horse battery").await;
    page.click("[data-testid=setup-form] button[type=submit]").await;
    page.wait_for("document.querySelector('[data-testid=new-project]')", BUILD).await;
    let client = server.client();
    client.login("ada", "correct horse battery").await.unwrap();
    let id = project(&client, "talker").await;
    deploy(
        &client,
        &id,
        chatty("console.log('a Needle first'); for (let n = 0; n < 1500; n++) console.log('hay ' + n)"),
    )
    .await;

    let log = "document.querySelector('[data-testid=runtime-log]')";
    let says = |text: &str| format!("{log}?.textContent.includes({text:?})");
    page.goto(&format!("{}/projects/{id}/logs", server.api_url())).await;
    page.wait_for(&says("hay 1499"), BUILD).await;
    assert_eq!(page.eval(&says("Needle")).await, false);
    page.click_text("[data-testid=runtime-log] button", "Load older lines").await;
    page.wait_for(&says("a Needle first"), BUILD).await;
    page.wait_for(&format!("!{log}.querySelector('button')"), BUILD).await;
    assert_eq!(page.eval(&format!("{log}.querySelectorAll('[data-stream]').length")).await, 1502);

    // Found by the server, beyond what a page holds at first.
    page.goto(&format!("{}/projects/{id}/logs", server.api_url())).await;
    page.wait_for(&says("hay 1499"), BUILD).await;
    page.fill("input[type=search]", "nEEdle").await;
    page.wait_for(&format!("{log}?.querySelector('mark')?.textContent === 'Needle'"), BUILD).await;
    server.app("talker.localhost").get("/needle").await.unwrap();
    page.wait_for(&says("asked /needle"), BUILD).await;
    page.screenshot("logs-search.png").await;
    page.choose("select[aria-label='Time range']", "Last hour").await;
    page.click("button[title='Standard error']").await;
    page.wait_for(&says("No line matches."), BUILD).await;
}

//! Logs under load and over time: what floods, what is read by many, what is kept.

mod load;

use std::path::{Path, PathBuf};

use ids::{DeploymentId, ProjectId};
use serde_json::json;
use testkit::{Browser, LogsQuery, TestServer, wait_until};

use crate::apps::{archive, deploy, project};
use crate::{BUILD, server};

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

/// Nothing is there to be watched yet.
#[tokio::test]
async fn who_follows_before_the_first_deployment_hears_its_first_line_at_once() {
    let server = server().start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let mut follow = client.follow_project_logs(&id, &LogsQuery::default()).await.unwrap();
    deploy(&client, &id, chatty("console.log('first')")).await;
    let mut heard = async |wanted: &str| {
        let line = follow.next_within(std::time::Duration::from_secs(5)).await.expect("it comes soon").unwrap();
        assert!(line.text.starts_with(wanted), "{line:?}");
    };
    heard("web starts: ").await;
    heard("first").await;
    server.app("hello.localhost").get("/second").await.unwrap();
    heard("asked /second").await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_packed_is_found_and_a_project_keeps_within_its_bytes() {
    let limits = json!({"limits": {"log_mb": 4, "log_project_mb": 1}});
    let mut server = server().config(limits).start().await;
    let client = server.setup().await;
    let id = project(&client, "hello").await;
    let talk = "for (let n = 0; n < 30000; n++) console.log(`line ${n} of many, which are all much alike`)";
    let first = deploy(&client, &id, chatty(talk)).await;
    let last = LogsQuery { limit: Some(1), search: Some("line 29999 ".into()), ..LogsQuery::default() };
    wait_until("the last line", BUILD, async || !client.project_logs(&id, &last).await.unwrap().is_empty()).await;
    let log = log_dir(&server, &id, &first.id);
    let packed = || {
        let names = std::fs::read_dir(&log).into_iter().flatten().flatten().map(|file| file.file_name());
        names.filter(|name| name.to_str().unwrap().ends_with(".zst")).count()
    };
    let before = size(&log);
    assert!(before > 2 << 20 && packed() == 0, "{before}");
    // A server that starts looks at everything.
    server.restart().await;
    wait_until("closed segments are packed", BUILD, async || packed() > 1 && size(&log) < 3 << 19).await;
    let all = LogsQuery { search: Some("of many".into()), limit: Some(10_000), ..LogsQuery::default() };
    let mut query = all.clone();
    let mut found = Vec::new();
    loop {
        let page = client.project_log_page(&id, &query).await.unwrap();
        found.splice(0..0, page.lines.into_iter().map(|line| line.text));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let expected = (0..30_000).map(|n| format!("line {n} of many, which are all much alike"));
    assert!(found.into_iter().eq(expected));
    // And a follower comes from there to what is written now.
    let early = LogsQuery { search: Some("line 77 ".into()), ..LogsQuery::default() };
    let after = client.project_logs(&id, &early).await.unwrap()[0].id.clone();
    let mut follow =
        client.follow_project_logs(&id, &LogsQuery { after: Some(after), ..LogsQuery::default() }).await.unwrap();
    for n in 78..30_000 {
        assert!(follow.next().await.unwrap().text.starts_with(&format!("line {n} ")));
    }
    server.app("hello.localhost").get("/now").await.unwrap();
    assert_eq!(follow.next().await.unwrap().text, "asked /now");

    // Noise does not get smaller by packing: the oldest of it goes, and what is written now stays.
    let noise = "const { randomBytes } = require('node:crypto'); \
        for (let n = 0; n < 3000; n++) console.log(randomBytes(750).toString('base64'))";
    let second = deploy(&client, &id, chatty(noise)).await;
    server.app("hello.localhost").get("/after").await.unwrap();
    let asked = LogsQuery { search: Some("/after".into()), ..LogsQuery::default() };
    wait_until("the last line", BUILD, async || !client.project_logs(&id, &asked).await.unwrap().is_empty()).await;
    let noisy = log_dir(&server, &id, &second.id);
    assert!(size(&noisy) > 2 << 20, "{}", size(&noisy));
    server.restart().await;
    wait_until("the project's bytes", BUILD, async || size(&noisy) + size(&log) < (1 << 20) + (1 << 19)).await;
    assert_eq!(client.project_logs(&id, &asked).await.unwrap().len(), 1);
}

/// Makes all files of a log as old as that.
fn age(directory: &Path, days: u64) {
    let at = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 3600);
    for entry in std::fs::read_dir(directory).unwrap() {
        std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap().set_modified(at).unwrap();
    }
}

#[tokio::test]
async fn logs_of_commands_and_workers_that_are_over_go_when_they_are_old() {
    let mut server = server().config(json!({"limits": {"log_days": 7}})).start().await;
    let client = server.setup().await;
    let id = project(&client, "crew").await;
    let web = "require('node:http').createServer((q, r) => r.end('ok')).listen(process.env.PORT)";
    let worker = "worker: sh -c 'echo working; while true; do sleep 1; done'\n";
    let app = |procfile: &str| archive(&[("package.json", "{}"), ("index.js", web), ("Procfile", procfile)]);
    let first = deploy(&client, &id, app(&format!("web: node index.js\n{worker}"))).await;
    let second = deploy(&client, &id, app("web: node index.js\n")).await;
    let mut runs = Vec::new();
    for text in ["old", "young"] {
        let run = client.run_create(&id, &format!("echo {text}"), None).await.unwrap();
        wait_until("it has ended", BUILD, async || client.run(&run.id).await.unwrap().state.is_settled()).await;
        runs.push(run);
    }
    let logs = server.data_dir().join("node/logs").join(id.as_str());
    let jobs = runs.iter().map(|run| logs.join("jobs").join(run.id.as_str())).collect::<Vec<_>>();
    let workers = logs.join(format!("{}.worker", first.id)).join("run");
    wait_until("the worker is over", BUILD, async || {
        !server.data_dir().join("node/runs").join(format!("{}.worker", first.id)).exists()
    })
    .await;
    for log in [&jobs[0], &workers] {
        assert!(size(log) > 0, "{}", log.display());
        age(log, 8);
    }
    server.restart().await;
    wait_until("what is old is gone", BUILD, async || size(&jobs[0]) + size(&workers) == 0).await;
    assert!(size(&jobs[1]) > 0 && size(&log_dir(&server, &id, &second.id)) > 0);
    let found = client.project_logs(&id, &LogsQuery::default()).await.unwrap();
    assert!(!found.iter().any(|line| line.text == "working"), "{found:?}");
}

//! Commands that are run once or again and again, and what a project's processes may use.

use std::process::Command;

use serde_json::Value;
use testkit::{Client, PATIENCE, TestServer, wait_some};

use super::{Shell, shell, text};
use crate::apps::{archive, deploy, project};
use crate::server;

const PROCFILE: &str = "web: python3 -m http.server $PORT --bind 127.0.0.1\ncron-beat: 0 3 * * * echo a beat\n";

/// A shell, and a project `shop` that is live.
async fn shop(server: &TestServer) -> (Client, Shell<'_>) {
    let admin = server.setup().await;
    let id = project(&admin, "shop").await;
    deploy(&admin, &id, archive(&[("index.html", "shop"), ("Procfile", PROCFILE)])).await;
    let shell = shell(server, &admin).await;
    (admin, shell)
}

#[tokio::test]
async fn a_run_says_what_the_command_says_and_ends_as_it_does() {
    let server = server().start().await;
    let (admin, shell) = shop(&server).await;
    let here = shell.home.path();

    let good = shell.run(here, &["run", "shop", "--", "echo", "two  words"]).await;
    assert_eq!(String::from_utf8_lossy(&good.stdout), "two  words\n", "{}", text(&good));
    assert!(good.status.success());
    let bad = shell.run(here, &["run", "shop", "--", "sh", "-c", "echo wrong >&2; exit 7"]).await;
    assert_eq!(bad.status.code(), Some(7), "{}", text(&bad));
    assert!(bad.stdout.is_empty() && String::from_utf8_lossy(&bad.stderr).contains("wrong"), "{}", text(&bad));
    let killed = shell.run(here, &["run", "shop", "--", "sh", "-c", "kill -TERM 0"]).await;
    assert_eq!(killed.status.code(), Some(143), "{}", text(&killed));
    let slow = shell.run(here, &["run", "shop", "--timeout", "1s", "--", "sleep", "600"]).await;
    assert_eq!(slow.status.code(), Some(124), "{}", text(&slow));
    let json = shell.run(here, &["run", "shop", "--json", "--", "echo", "hidden"]).await;
    let run: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((run["state"].as_str(), run["exit_code"].as_i64()), (Some("succeeded"), Some(0)));

    let inside = shell.run(here, &["exec", "shop", "--", "sh", "-c", "grep -l http.server /proc/[0-9]*/cmdline"]).await;
    assert!(inside.status.success() && text(&inside).contains("/proc/"), "{}", text(&inside));
    let nobody = shell.run(here, &["exec", "shop", "--process", "worker", "--", "true"]).await;
    assert!(nobody.status.code() == Some(1) && text(&nobody).contains("it has web"), "{}", text(&nobody));
    let usage = shell.run(here, &["run", "shop", "echo"]).await;
    assert!(usage.status.code() == Some(2) && text(&usage).contains("-- "), "{}", text(&usage));

    let begun = shell.run(here, &["run", "shop", "--detach", "--", "sleep", "600"]).await;
    let begun = text(&begun);
    let id = begun.split_whitespace().nth(1).unwrap();
    let stopped = shell.run(here, &["runs", "cancel", id]).await;
    assert!(stopped.status.success(), "{}", text(&stopped));
    let shown = shell.run(here, &["runs", "show", id]).await;
    assert!(text(&shown).contains("cancelled") && text(&shown).contains("sleep 600"), "{}", text(&shown));
    let listed = text(&shell.run(here, &["runs", "list", "shop"]).await);
    assert!(listed.contains("exec") && listed.contains("once") && listed.contains("failed"), "{listed}");
    let first = admin.run_list("shop").await.unwrap().pop().unwrap();
    let log = shell.run(here, &["runs", "logs", first.id.as_str()]).await;
    assert!(text(&log).contains("two  words"), "{}", text(&log));
}

#[tokio::test]
async fn ctrl_c_stops_the_run() {
    let server = server().start().await;
    let (admin, shell) = shop(&server).await;
    let child = shell.command(shell.home.path(), &["run", "shop", "--", "sleep", "600"]).spawn().unwrap();
    let running = wait_some("the run has begun", PATIENCE, async || admin.run_list("shop").await.unwrap().pop()).await;
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", text(&ended));
    assert_eq!(admin.run(&running.id).await.unwrap().state, ids::RunState::Cancelled);
}

#[tokio::test]
async fn schedules_from_a_shell() {
    let server = server().start().await;
    let (_admin, shell) = shop(&server).await;
    let here = shell.home.path();
    let run = async |arguments: &[&str]| {
        let output = shell.run(here, arguments).await;
        (output.status.code(), text(&output))
    };
    let (_, said) = run(&["schedule", "list", "shop"]).await;
    assert!(said.contains("cron-beat") && said.contains("Procfile") && said.contains("in "), "{said}");
    let set = ["schedule", "set", "shop", "nightly", "0 25 * * *", "--", "true"];
    let (code, said) = run(&set).await;
    assert!(code == Some(1) && said.contains("0 25 * * *"), "{said}");
    let set = ["schedule", "set", "shop", "nightly", "@daily", "--disabled", "--", "sh", "-c", "echo done; exit 3"];
    assert_eq!(run(&set).await.0, Some(0));
    let (_, said) = run(&["schedule", "list", "shop"]).await;
    assert!(said.contains("nightly") && said.contains("disabled"), "{said}");
    let (code, said) = run(&["schedule", "run", "shop", "nightly"]).await;
    assert!(code == Some(3) && said.contains("done"), "{said}");
    let (_, said) = run(&["schedule", "history", "shop", "nightly"]).await;
    assert!(said.contains("failed") && said.contains('3'), "{said}");
    assert_eq!(run(&["schedule", "remove", "shop", "nightly"]).await.0, Some(0));
    assert_eq!(run(&["schedule", "remove", "shop", "nightly"]).await.0, Some(1));
}

#[tokio::test]
async fn what_processes_may_use_is_set_and_shown() {
    let server = server().start().await;
    let admin = server.setup().await;
    let shell = shell(&server, &admin).await;
    let run = async |arguments: &[&str]| {
        let output = shell.run(shell.home.path(), arguments).await;
        (output.status.code(), text(&output))
    };
    let create = [
        "project",
        "create",
        "shop",
        "--network",
        "only",
        "--allow",
        "api.example.com:443,10.1.0.0/16",
        "--host-port",
        "5432",
        "--volume",
        "data:/data",
        "--volume",
        "uploads:/srv/uploads",
        "--memory-mb",
        "256",
        "--cpu-percent",
        "150",
    ];
    let (code, said) = run(&create).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = run(&["project", "show", "shop"]).await;
    for part in
        ["only api.example.com:443, 10.1.0.0/16", "5432", "data:/data", "uploads:/srv/uploads", "256 MB", "150 %"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What is not named stays.
    let update = ["project", "update", "shop", "--processes", "64", "--memory-mb", "default", "--volume", "data:/data"];
    let (code, said) = run(&update).await;
    assert!(code == Some(0) && said.contains("150 %") && said.contains("only api") && !said.contains("256"), "{said}");
    assert!(said.contains("64") && !said.contains("uploads"), "{said}");
    let (code, said) =
        run(&["project", "update", "shop", "--network", "none", "--no-volumes", "--no-host-ports"]).await;
    assert!(code == Some(0) && !said.contains("data") && !said.contains("5432") && !said.contains("example"), "{said}");
    let (code, said) = run(&["project", "update", "shop", "--network", "none", "--allow", "example.com"]).await;
    assert!(code == Some(1) && said.contains("only"), "{said}");
    for wrong in [["--volume", "data"], ["--network", "some"], ["--memory-mb", "much"]] {
        assert_eq!(run(&[&["project", "update", "shop"][..], &wrong].concat()).await.0, Some(2));
    }
}

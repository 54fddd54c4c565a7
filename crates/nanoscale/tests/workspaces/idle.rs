//! A workspace that goes to sleep when nothing happens in it: it says so beforehand, and why; it is kept awake and woken.

use ids::{SleepCause, UseKind, WorkspaceState};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use testkit::{PATIENCE, wait_some, wait_until};

use crate::Stand;

fn idle_after(seconds: i64) -> api::WorkspaceCreate {
    api::WorkspaceCreate { idle_timeout_seconds: Some(seconds), ..Default::default() }
}

fn for_seconds(seconds: i64) -> api::WorkspaceAwake {
    api::WorkspaceAwake { seconds: Some(seconds), terminal_id: None }
}

fn until_done(terminal: &api::Terminal) -> api::WorkspaceAwake {
    api::WorkspaceAwake { seconds: None, terminal_id: Some(terminal.id.clone()) }
}

fn in_seconds(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string()
}

fn time(text: Option<&String>) -> Timestamp {
    text.unwrap().parse().unwrap()
}

impl Stand {
    async fn get(&self, workspace: &api::Workspace) -> api::Workspace {
        self.client.workspace_get(&workspace.id).await.unwrap()
    }

    /// When it sleeps and why, once that is as it should be.
    async fn idle(&self, workspace: &api::Workspace, is: impl Fn(&api::WorkspaceIdle) -> bool) -> api::WorkspaceIdle {
        let find = async || self.client.workspace_get(&workspace.id).await.ok()?.idle.filter(|idle| is(idle));
        wait_some("its idle time is as expected", PATIENCE, find).await
    }
}

#[tokio::test]
async fn one_in_which_nothing_happens_is_stopped_and_says_why() {
    let stand = Stand::new().await;
    let workspace = stand.open_with(api::WorkspaceCreate { idle_timeout_seconds: Some(4), ..Default::default() }).await;
    // A program that computes and says nothing keeps it awake; somebody who looks does not.
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("timeout 10 sh -c 'while :; do :; done'; echo done $((1+1))\n").await;
    shell.wait_for("done 2\r\n").await;
    assert_eq!(stand.client.workspace_get(&workspace.id).await.unwrap().state, WorkspaceState::Running);
    let stopped = stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    assert_eq!(stopped.failure_code.as_deref(), Some("IDLE"), "{stopped:?}");
    assert!(stopped.reason.as_deref().unwrap().contains("4 seconds"), "{stopped:?}");
    stand.client.workspace_restart(&workspace.id).await.unwrap();
    let again = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!(again.failure_code, None);
}

#[tokio::test]
async fn it_says_beforehand_when_it_sleeps_and_why() {
    let stand = Stand::new().await;
    let workspace = stand.open_with(idle_after(600)).await;
    let started = stand.idle(&workspace, |idle| idle.last_use.is_some()).await;
    assert_eq!((started.cause, started.last_use.as_ref().unwrap().kind), (SleepCause::Idle, UseKind::Started));
    let last = |idle: &api::WorkspaceIdle| idle.last_use.clone().unwrap();
    let (terminal, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("sleep 1000\n").await;
    let typed = stand.idle(&workspace, |idle| last(idle).kind == UseKind::Typed).await;
    assert_eq!(last(&typed).terminal_id, Some(terminal.id.clone()));
    assert!(typed.because.contains("when something was typed in Terminal 1"), "{typed:?}");
    // Ten minutes after that, and a warning a minute before.
    let at = time(Some(&last(&typed).at));
    assert_eq!(time(typed.sleeps_at.as_ref()).duration_since(at), SignedDuration::from_mins(10));
    let ahead = time(typed.sleeps_at.as_ref()).duration_since(time(typed.warns_at.as_ref()));
    assert_eq!(ahead, SignedDuration::from_mins(1));

    // A program that prints is named with its terminal, one that computes is told from it, a port has its number.
    let command = |text: &str| Some(["sh", "-c", text].map(str::to_owned).to_vec());
    let printing = api::TerminalCreate {
        name: Some("Build".into()),
        command: command("sleep 3; echo built; sleep 1000"),
        ..Default::default()
    };
    stand.client.terminal_open(&workspace.id, &printing).await.unwrap();
    let printed = stand.idle(&workspace, |idle| last(idle).kind == UseKind::Printed).await;
    assert!(printed.because.contains("printed in Build"), "{printed:?}");
    let at = last(&printed).at;
    let computing = api::TerminalCreate {
        command: command("timeout 4 sh -c 'while :; do :; done'; sleep 1000"),
        ..Default::default()
    };
    stand.client.terminal_open(&workspace.id, &computing).await.unwrap();
    let computed = stand.idle(&workspace, |idle| last(idle).kind == UseKind::Computed).await;
    assert!(last(&computed).at > at, "{computed:?}");
}

#[tokio::test]
async fn who_only_looks_keeps_nothing_awake_and_is_warned() {
    let stand = Stand::new().await;
    let workspace = stand.open_with(idle_after(6)).await;
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("sleep 1000\n").await;
    let mut events = stand.client.events(None).await.unwrap();
    let warned = async {
        loop {
            let event = events.next().await.unwrap();
            if event.kind == "workspace.sleeps" && event.workspace_id.as_ref() == Some(&workspace.id) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, warned).await.unwrap();
    let warned = stand.get(&workspace).await;
    let idle = warned.idle.unwrap();
    assert!(time(idle.warns_at.as_ref()) <= Timestamp::now() && idle.because.contains("since"), "{idle:?}");
    // A viewer is attached all the time.
    let stopped = stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    assert_eq!(stopped.failure_code.as_deref(), Some("IDLE"));
    assert!(stopped.idle.is_none() && shell.end().await.1.is_some());
}

#[tokio::test]
async fn it_is_kept_awake_for_a_time_also_over_a_crash() {
    let mut stand = Stand::new().await;
    let workspace = stand.open_with(idle_after(5)).await;
    for asked in [json!({}), json!({"seconds": 0}), json!({"seconds": 90_000})] {
        let asked: api::WorkspaceAwake = serde_json::from_value(asked).unwrap();
        let failure = stand.client.workspace_awake(&workspace.id, &asked).await.unwrap_err();
        assert_eq!((failure.status, failure.code()), (400, "INVALID_AWAKE"));
    }
    stand.client.workspace_awake(&workspace.id, &for_seconds(3600)).await.unwrap();
    let kept = stand.client.workspace_awake(&workspace.id, &for_seconds(60)).await.unwrap().idle.unwrap();
    let (until, hour) = (time(kept.kept_awake_until.as_ref()), SignedDuration::from_secs(3500));
    assert!(until > Timestamp::now() + hour, "a longer time stays: {kept:?}");
    assert_eq!(kept.sleeps_at, kept.kept_awake_until);
    let used = time(kept.last_use.as_ref().map(|last| &last.at));
    // Long after it would have been stopped.
    let is_late = async || Timestamp::now() > used + SignedDuration::from_secs(9);
    wait_until("its time has passed", PATIENCE, is_late).await;
    stand.server.kill();
    stand.server.restart().await;
    let client = &stand.client;
    let again = stand.idle(&workspace, |idle| idle.last_use.is_some()).await;
    assert_eq!(again.kept_awake_until, kept.kept_awake_until);
    // Nor is the restart a use.
    let moved = time(again.last_use.as_ref().map(|last| &last.at)).duration_since(used);
    assert!(moved.abs() < SignedDuration::from_secs(2), "{again:?}");
    let ended = client.workspace_awake_end(&workspace.id).await.unwrap().idle.unwrap();
    assert!(time(ended.sleeps_at.as_ref()) > Timestamp::now(), "after a warning: {ended:?}");
    let stopped = client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    assert_eq!(stopped.failure_code.as_deref(), Some("IDLE"));
    let failure = client.workspace_awake(&workspace.id, &for_seconds(60)).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "WORKSPACE_NOT_RUNNING"));
}

#[tokio::test]
async fn it_is_kept_awake_until_a_job_ends_also_over_a_crash() {
    let mut stand = Stand::new().await;
    let workspace = stand.open_with(idle_after(5)).await;
    let (terminal, mut shell) = stand.terminal(&workspace).await;
    // Quiet for longer than the timeout, and then some.
    shell.type_in("echo go; sh -c 'until [ -e /tmp/done ]; do sleep 1; done'\n").await;
    shell.wait_for("go\r\n").await;
    let kept = wait_some("the job is found", PATIENCE, async || {
        let kept = stand.client.workspace_awake(&workspace.id, &until_done(&terminal)).await.unwrap().idle.unwrap();
        kept.kept_awake_by.as_ref().is_some_and(|by| by.command.is_some()).then_some(kept)
    })
    .await;
    let by = kept.kept_awake_by.unwrap();
    assert_eq!((by.terminal_id, by.terminal_name.as_str()), (terminal.id.clone(), "Terminal 1"));
    assert!(by.command.unwrap().starts_with("sh -c until") && kept.sleeps_at.is_none());
    let began = Timestamp::now();
    let is_late = async || Timestamp::now() > began + SignedDuration::from_secs(8);
    wait_until("its time has passed", PATIENCE, is_late).await;
    stand.server.kill();
    stand.server.restart().await;
    let again = stand.idle(&workspace, |idle| idle.kept_awake_by.is_some()).await;
    assert!(again.because.contains("until `sh -c until"), "{again:?}");
    let (other, mut second) = stand.terminal(&workspace).await;
    second.type_in("touch /tmp/done; exit\n").await;
    second.end().await;
    let ended = stand.idle(&workspace, |idle| idle.kept_awake_by.is_none()).await;
    assert!(ended.sleeps_at.is_some(), "{ended:?}");
    let stopped = stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    assert_eq!(stopped.failure_code.as_deref(), Some("IDLE"));
    let missing = stand.client.workspace_awake(&workspace.id, &until_done(&other)).await.unwrap_err();
    assert_eq!((missing.status, missing.code()), (409, "WORKSPACE_NOT_RUNNING"));
}

#[tokio::test]
async fn a_deadline_ends_whatever_runs() {
    let stand = Stand::new().await;
    let workspace =
        stand.open_with(api::WorkspaceCreate { shutdown_deadline: Some(in_seconds(600)), ..Default::default() }).await;
    let idle = workspace.idle.clone().unwrap();
    assert_eq!((idle.cause, &idle.sleeps_at), (SleepCause::ShutdownDeadline, &workspace.shutdown_deadline));
    let failure = stand.client.workspace_awake(&workspace.id, &for_seconds(60)).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "NO_IDLE_TIMEOUT"));
    let (terminal, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("while :; do echo at work; sleep 1; done\n").await;
    shell.wait_for("at work\r\n").await;
    let deadline = in_seconds(8);
    let sooner = api::WorkspaceUpdate { shutdown_deadline: Some(deadline.clone()), ..Default::default() };
    let mut events = stand.client.events(None).await.unwrap();
    stand.client.workspace_update(&workspace.id, &sooner).await.unwrap();
    let warned = async { while events.next().await.unwrap().kind != "workspace.sleeps" {} };
    tokio::time::timeout(PATIENCE, warned).await.unwrap();
    // Nothing is stronger than it.
    let timeout = api::WorkspaceUpdate { idle_timeout_seconds: Some(3600), ..Default::default() };
    stand.client.workspace_update(&workspace.id, &timeout).await.unwrap();
    stand.client.workspace_awake(&workspace.id, &until_done(&terminal)).await.unwrap();
    let stopped = stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    assert_eq!(stopped.failure_code.as_deref(), Some("SHUTDOWN_DEADLINE"));
    assert!(stopped.reason.as_deref().unwrap().contains("shutdown deadline"), "{stopped:?}");
    assert!(time(Some(&stopped.state_since)) >= deadline.parse().unwrap(), "not sooner");
    // A start goes without the one that has passed.
    stand.client.workspace_restart(&workspace.id).await.unwrap();
    let again = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!((again.shutdown_deadline, again.failure_code), (None, None));
}

#[tokio::test]
async fn a_terminal_wakes_what_went_to_sleep_and_not_what_was_stopped() {
    let stand = Stand::new().await;
    let workspace = stand.open_with(idle_after(4)).await;
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    let failure = stand.client.terminal_open(&workspace.id, &Default::default()).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "WORKSPACE_NOT_RUNNING"));
    let waking = api::TerminalCreate { wake: true, ..Default::default() };
    let failure = stand.client.terminal_open(&workspace.id, &waking).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "WORKSPACE_WAKING"));
    let woken = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!((woken.attempt, woken.failure_code), (2, None));
    stand.client.terminal_open(&workspace.id, &waking).await.unwrap();
    stand.client.workspace_stop(&workspace.id).await.unwrap();
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    let failure = stand.client.terminal_open(&workspace.id, &waking).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "WORKSPACE_NOT_RUNNING"));
}

/// What `nanoscale` prints, from a shell that is signed in; nobody types.
async fn command(stand: &Stand, arguments: &[&str]) -> (bool, String) {
    let mut command = tokio::process::Command::new(crate::program());
    command.args(arguments).env("NANOSCALE_URL", stand.server.api_url()).env("NANOSCALE_TOKEN", &stand.token);
    command.env("HOME", stand.server.data_dir()).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_shell_keeps_it_awake_and_wakes_it() {
    let stand = Stand::new().await;
    let workspace = stand.open_with(idle_after(5)).await;
    let id = workspace.id.as_str();
    let (done, text) = command(&stand, &["ws", "awake", id, "--for", "2h"]).await;
    assert!(done && text.contains("sleeps in ") && text.contains("kept awake until"), "{text}");
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("sleep 1000\n").await;
    shell.wait_for("sleep 1000").await;
    let (done, text) = command(&stand, &["ws", "awake", id, "--until-done", "Terminal 1"]).await;
    assert!(done && text.contains("sleeps not now: it is kept awake until"), "{text}");
    let (done, text) = command(&stand, &["ws", "update", id, "--shutdown-deadline", "3h"]).await;
    assert!(done && text.contains("its shutdown deadline is"), "{text}");
    let (done, text) = command(&stand, &["ws", "update", id, "--no-shutdown-deadline"]).await;
    assert!(done, "{text}");
    let (done, text) = command(&stand, &["ws", "awake", id, "--off"]).await;
    assert!(done && text.contains("nothing was typed"), "{text}");
    stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    let (done, text) = command(&stand, &["terminal", id, "--", "echo", "up again"]).await;
    assert!(done && text.contains("up again") && text.contains("asleep"), "{text}");
}

//! From its creation to its end.

use ids::{StepState, WorkspaceState};
use reqwest::Method;
use testkit::{PATIENCE, wait_some, wait_until};

use crate::Stand;

fn step<'a>(workspace: &'a api::Workspace, name: &str) -> Option<&'a api::WorkspaceStep> {
    workspace.steps.iter().find(|step| step.name == name)
}

#[tokio::test]
async fn a_project_is_opened_and_what_is_done_there_outlives_a_stop() {
    let stand = Stand::new().await;
    let create = api::WorkspaceCreate { new_branch: Some("feature/cart".into()), ..Default::default() };
    let workspace = stand.open_with(create).await;
    let clone = step(&workspace, "clone").unwrap();
    assert_eq!(clone.state, StepState::Succeeded);
    assert!(clone.message.as_deref().unwrap().starts_with("feature/cart "), "{clone:?}");
    let (_, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("pwd; git branch --show-current; id -un; echo $HOME; stty size\n").await;
    shell.wait_for("/home/dev/shop\r\nfeature/cart\r\ndev\r\n/home/dev\r\n24 80\r\n").await;
    shell.type_in("echo kept > uncommitted; sleep 1000 & echo pid $!.\n").await;
    shell.wait_for("pid ").await;

    stand.client.workspace_stop(&workspace.id).await.unwrap();
    let stopped = stand.client.workspace_in(&workspace.id, WorkspaceState::Stopped).await;
    assert_eq!(stopped.terminals, 0);
    // What its start said is read still.
    let log = stand.client.raw(Method::GET, &format!("/api/workspaces/{}/log", workspace.id)).send().await.unwrap();
    let log = log.text().await.unwrap();
    assert!(log.contains(&format!("$ git clone {}", stand.repo.url())), "{log}");
    assert!(shell.end().await.1.is_some() || shell.exit.is_some());
    let failure = stand.client.terminal_open(&workspace.id, &Default::default()).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (409, "WORKSPACE_NOT_RUNNING"));

    stand.client.workspace_restart(&workspace.id).await.unwrap();
    let again = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!(again.attempt, 2);
    assert_eq!(step(&again, "clone").unwrap().state, StepState::Skipped);
    let (_, mut shell) = stand.terminal(&again).await;
    shell.type_in("cat uncommitted; git branch --show-current\n").await;
    shell.wait_for("kept\r\nfeature/cart\r\n").await;

    let failure = stand.client.workspace_rebuild(&workspace.id, &Default::default()).await.unwrap_err();
    assert_eq!((failure.status, failure.code()), (400, "FILES_WOULD_BE_LOST"));
    let discard = api::WorkspaceRebuild { discard_files: true };
    stand.client.workspace_rebuild(&workspace.id, &discard).await.unwrap();
    let rebuilt = wait_some("it runs anew", PATIENCE, async || {
        let workspace = stand.client.workspace_get(&workspace.id).await.unwrap();
        (workspace.attempt == 3 && workspace.state == WorkspaceState::Running).then_some(workspace)
    })
    .await;
    let (_, mut shell) = stand.terminal(&rebuilt).await;
    shell.type_in("ls uncommitted; git status --short --branch\n").await;
    shell.wait_for("No such file or directory").await;

    stand.client.workspace_delete(&workspace.id).await.unwrap();
    let is_gone = async || stand.client.workspace_get(&workspace.id).await.is_err_and(|error| error.status == 404);
    wait_until("it is gone", PATIENCE, is_gone).await;
    let group = stand.server.data_dir().join("node/groups").join(workspace.id.as_str());
    wait_until("its files are gone", PATIENCE, async || !group.exists()).await;
}

#[tokio::test]
async fn a_failed_clone_leaves_a_shell_with_a_reason_and_is_tried_again() {
    let stand = Stand::new().await;
    let create = api::WorkspaceCreate {
        project_id: stand.project.to_string(),
        branch: Some("later".into()),
        ..Default::default()
    };
    let workspace = stand.client.workspace_create(&create).await.unwrap();
    let broken = stand.client.workspace_in(&workspace.id, WorkspaceState::Recovery).await;
    assert_eq!(broken.failure_code.as_deref(), Some("REF_NOT_FOUND"));
    assert!(broken.reason.as_deref().unwrap().contains("`later`"), "{broken:?}");
    assert!(broken.last_lines.iter().any(|line| line.contains("git clone")), "{broken:?}");
    let (_, mut shell) = stand.terminal(&broken).await;
    shell.type_in("pwd\n").await;
    shell.wait_for("/home/dev\r\n").await;
    // Its owner mends it, and tries again: who works there is not disturbed.
    stand.repo.branch("later");
    stand.client.workspace_restart(&workspace.id).await.unwrap();
    let mended = stand.client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    assert_eq!((mended.attempt, mended.failure_code), (2, None));
    shell.type_in("cd shop && git branch --show-current\n").await;
    shell.wait_for("later\r\n").await;
}

#[tokio::test]
async fn a_workspace_outlives_server_and_node() {
    let mut stand = Stand::new().await;
    let workspace = stand.open().await;
    let (terminal, mut shell) = stand.terminal(&workspace).await;
    shell.type_in("echo $$ > pid; sleep 1; echo ready\n").await;
    shell.wait_for("ready\r\n").await;
    stand.server.kill();
    stand.server.restart().await;
    let client = &stand.client;
    client.workspace_in(&workspace.id, WorkspaceState::Running).await;
    wait_until("its terminal is found", PATIENCE, async || {
        client.terminal_list(&workspace.id).await.is_ok_and(|list| list.iter().any(|it| it.is_running))
    })
    .await;
    let from = format!("&from={}", shell.offset);
    let mut shell = stand.look(&workspace, &terminal, &from).await;
    shell.type_in("[ $(cat pid) = $$ ] && echo same\n").await;
    shell.wait_for("\nsame\r\n").await;
    assert_eq!(client.workspace_get(&workspace.id).await.unwrap().attempt, 1);
}

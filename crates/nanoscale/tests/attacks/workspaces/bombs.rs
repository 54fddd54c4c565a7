//! A workspace that uses things up, and a neighbour that answers throughout.

use serde_json::json;
use testkit::{App, PATIENCE, wait_until};
use tokio::sync::MutexGuard;

use super::{Open, Stand};
use crate::BUILD;
use crate::apps::{deploy, node_app, project};
use crate::hostile::bombs::{ALONE, p99};
use crate::hostile::pids_of_user;

const TERMINALS: usize = 64;

struct Scene {
    stand: Stand,
    workspace: Open,
    neighbour: App,
    quiet: std::time::Duration,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    async fn new() -> Self {
        let alone = ALONE.lock().await;
        let stand = Stand::with(|builder| builder.config(json!({ "limits": { "workspace_memory_mb": 256 } }))).await;
        let id = project(&stand.client, "neighbour").await;
        deploy(&stand.client, &id, node_app("1")).await;
        let workspace = stand.open(&stand.client, "bomber").await;
        let neighbour = stand.server.app("neighbour.localhost");
        let quiet = p99(&neighbour).await;
        Self { stand, workspace, neighbour, quiet, _alone: alone }
    }

    /// Goes off in the background, under nobody's eyes. Who lights it may well be ended by it.
    async fn light(&self, bomb: &str) {
        let code = format!("import bombs; bombs.light('{bomb}')");
        self.workspace.run(&["python3", "-c", &code]).await;
    }

    /// The neighbour answers, the server too, and the workspace stops, starts and goes when it is told to.
    async fn survives(self, bomb: &str) {
        let loud = p99(&self.neighbour).await;
        println!("{bomb}: the neighbour's p99 is {:?} in quiet and {loud:?} beside it", self.quiet);
        let (client, id, uid) = (&self.workspace.client, &self.workspace.id, self.workspace.uid());
        client.workspace_stop(id).await.unwrap();
        client.workspace_in(id, ids::WorkspaceState::Stopped).await;
        wait_until("nothing of it runs", BUILD, async || pids_of_user(uid).is_empty()).await;
        client.workspace_restart(id).await.unwrap();
        client.workspace_in(id, ids::WorkspaceState::Running).await;
        let (said, code) = self.workspace.run(&["echo", "up"]).await;
        assert_eq!((said.as_str(), code), ("up\r\n", Some(0)));
        client.workspace_delete(id).await.unwrap();
        wait_until("it is gone", PATIENCE, async || !self.workspace.home.exists()).await;
        assert_eq!(self.neighbour.get("/").await.unwrap().version(), Some("1"));
        assert!(!self.stand.server.output().contains("panicked"));
    }
}

#[tokio::test]
async fn a_fork_bomb_in_a_workspace() {
    let scene = Scene::new().await;
    scene.light("fork").await;
    let uid = scene.workspace.uid();
    wait_until("it has forked", BUILD, async || pids_of_user(uid).len() > 100).await;
    scene.survives("fork").await;
}

#[tokio::test]
async fn a_memory_bomb_in_a_workspace_leaves_its_shells() {
    let scene = Scene::new().await;
    let mut shell = scene.workspace.shell().await;
    shell.type_in("python3 -c 'import bombs; bombs.memory()'; echo ended $?\n").await;
    shell.wait_for("\nended 137\r\n").await;
    shell.type_in("echo still $((40+2))\n").await;
    shell.wait_for("\nstill 42\r\n").await;
    assert_eq!(scene.workspace.client.workspace_get(&scene.workspace.id).await.unwrap().attempt, 1);
    scene.survives("memory").await;
}

/// However many are asked for at the same time, and when some have ended there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn more_terminals_than_a_workspace_may_have() {
    let scene = Scene::new().await;
    let workspace = &scene.workspace;
    let ask = || async {
        let command = Some(vec!["sleep".to_owned(), "1000".to_owned()]);
        let create = api::TerminalCreate { command, ..Default::default() };
        workspace.client.terminal_open(&workspace.id, &create).await
    };
    let answers = futures_util::future::join_all((0..TERMINALS + 16).map(|_| ask())).await;
    let (opened, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(opened.len(), TERMINALS);
    for failure in refused.into_iter().filter_map(Result::err) {
        assert_eq!((failure.status, failure.code()), (409, "TOO_MANY_TERMINALS"), "{}", failure.text);
    }
    let one = opened.into_iter().find_map(Result::ok).unwrap();
    workspace.client.terminal_close(&workspace.id, &one.id).await.unwrap();
    wait_until("there is room again", PATIENCE, async || ask().await.is_ok()).await;
    scene.survives("terminals").await;
}

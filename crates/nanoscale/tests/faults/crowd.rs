//! Everybody deploys at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ids::{DeploymentState, ProjectId};
use testkit::{Client, TestServer, wait_until};

use crate::apps::{archive, project};
use crate::process::{memory, open_files};
use crate::{ALONE, program, server};

const PROJECTS: usize = 50;
const EACH: usize = 4;
/// All of it, on a small machine with a build for tests.
const WITHIN: Duration = Duration::from_secs(120);

fn name(project: usize) -> String {
    format!("crowd-{project}")
}

/// Asks for a deployment; its number, with what it is of.
async fn ask(client: Client, project: ProjectId, text: String) -> (ProjectId, i64, String) {
    let archive = archive(&[("index.html", &text)]);
    // Refused with a time to wait is an answer; nothing else but the deployment is.
    loop {
        match client.upload(&project, archive.clone()).await {
            Ok(deployment) => return (project, deployment.number, text),
            Err(failure) if failure.status == 429 => {
                tokio::time::sleep(Duration::from_secs(failure.retry_after.unwrap())).await;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
}

/// Shims of this server that run.
fn shims(server: &TestServer) -> usize {
    let of_server = |process: &Path| {
        fs::read_link(process.join("exe")).is_ok_and(|exe| exe == Path::new(program()).canonicalize().unwrap())
            && fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(server.data_dir().join("node/runs")))
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| of_server(&entry.path())).count()
}

fn entries(server: &TestServer, directory: &str) -> usize {
    fs::read_dir(server.data_dir().join(directory)).unwrap().count()
}

async fn settled(client: &Client, project: &ProjectId, newest: i64) -> bool {
    let deployments = client.deployment_list(project).await.unwrap();
    deployments.iter().all(|deployment| deployment.state.is_settled())
        && deployments.iter().any(|it| it.number == newest && it.state == DeploymentState::Live)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_deployments_of_fifty_projects_at_once() {
    let _alone = ALONE.lock().await;
    let server = server().start().await;
    let client = server.setup().await;
    let mut projects = Vec::new();
    for number in 0..PROJECTS {
        projects.push(project(&client, &name(number)).await);
    }
    let before = (memory(&server), open_files(&server));
    let begun = Instant::now();
    let asked = (0..EACH).flat_map(|round| projects.iter().map(move |project| (round, project)));
    let asking = asked.map(|(round, project)| ask(client.clone(), project.clone(), format!("{project} {round}")));
    let asking = asking.map(tokio::spawn).collect::<Vec<_>>();
    let mut newest = BTreeMap::new();
    for answer in asking {
        let (project, number, text) = answer.await.unwrap();
        let last = newest.entry(project).or_insert((number, text.clone()));
        if number > last.0 {
            *last = (number, text);
        }
    }
    println!("{} deployments were asked for in {:?}", PROJECTS * EACH, begun.elapsed());
    for (project, (number, _)) in &newest {
        wait_until("all have settled", WITHIN, async || settled(&client, project, *number).await).await;
    }
    println!("and have settled after {:?}", begun.elapsed());
    for (number, project) in projects.iter().enumerate() {
        let deployments = client.deployment_list(project).await.unwrap();
        assert_eq!(deployments.len(), EACH);
        let count = |state| deployments.iter().filter(|it| it.state == state).count();
        assert_eq!(count(DeploymentState::Live), 1, "{deployments:?}");
        assert_eq!(count(DeploymentState::Failed) + count(DeploymentState::Cancelled), 0, "{deployments:?}");
        let reply = server.app(format!("{}.localhost", name(number))).get("/").await.unwrap();
        assert_eq!(reply.text(), newest[project].1);
    }
    wait_until("only what is live runs", WITHIN, async || shims(&server) == PROJECTS).await;
    wait_until("only what is live is kept", WITHIN, async || entries(&server, "node/runs") == PROJECTS).await;
    let after = (memory(&server), open_files(&server));
    println!("from {before:?} to {after:?} bytes of memory and open files");
    assert!(after.0 < before.0 + (256 << 20));
    // Of each app its shim is asked for its end, and connections are kept for the next visitor; of each request of
    // this test its connection is kept.
    assert!(after.1 <= before.1 + (EACH + 6) * PROJECTS, "from {} to {} open files", before.1, after.1);

    let going = projects.iter().map(|project| (client.clone(), project.clone()));
    let going = going.map(|(client, project)| tokio::spawn(async move { client.project_delete(&project).await }));
    for gone in going.collect::<Vec<_>>() {
        gone.await.unwrap().unwrap();
    }
    wait_until("nothing runs", WITHIN, async || shims(&server) == 0).await;
    for directory in ["node/runs", "node/groups", "node/logs", "node/trash", "node/uploads", "server/uploads"] {
        wait_until(&format!("{directory} is empty"), WITHIN, async || entries(&server, directory) == 0).await;
    }
    wait_until("no file stays open", WITHIN, async || open_files(&server) <= before.1 + 8).await;
}

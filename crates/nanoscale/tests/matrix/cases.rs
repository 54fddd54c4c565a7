use checkpoint::{Checkpoint, Flow, Part};

use crate::apps::deploy;
use crate::flows::Case;
use crate::site::{Site, release};
use crate::stand::Stand;
use crate::victim::{THREE, Victim};

/// Steps of a flow, but for the one that waits for a whole minute: see `due.rs`.
fn steps(flow: Flow) -> impl Iterator<Item = Checkpoint> {
    let steps = Checkpoint::ALL.iter().copied().filter(move |step| step.flows().contains(&flow));
    steps.filter(|step| *step != Checkpoint::DueRunRecorded)
}

/// What a flow needs to be there before it begins.
async fn prepare(stand: &Stand, flow: Flow, number: usize) -> Site {
    let mut site = Site::live(stand, &format!("site-{number}")).await;
    if flow == Flow::Rollback {
        site.newest = 2;
        deploy(&stand.client, &site.project, release(2, false)).await;
        site.version = 2;
    }
    site
}

/// Strikes one after the other on one server; a new one is taken after a case that failed.
async fn all(start: impl AsyncFn() -> Stand, flow: Flow, cases: impl Iterator<Item = Case>) {
    let mut failures = Vec::new();
    let mut stand = start().await;
    let mut site = None;
    for (number, case) in cases.enumerate() {
        if site.is_none() {
            site = Some(prepare(&stand, flow, number).await);
        }
        let outcome = case.run(&mut stand, site.as_mut().unwrap()).await;
        if flow == Flow::Delete || outcome.is_err() {
            site = None;
        }
        if let Err(failure) = outcome {
            failures.push(format!("{flow:?}, {:?} killed at {}\n    {failure}", case.victim, case.checkpoint.name()));
            stand = start().await;
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

async fn everybody(flow: Flow) {
    let cases = steps(flow).flat_map(|checkpoint| THREE.map(|victim| Case { flow, checkpoint, victim }));
    all(Stand::new, flow, cases).await;
}

/// What differs there is who dies along with whom.
#[tokio::test]
async fn the_one_process_is_killed_at_every_step_of_a_deploy_and_a_job() {
    for flow in [Flow::Deploy, Flow::Job] {
        let cases = steps(flow).map(|checkpoint| Case { flow, checkpoint, victim: Victim::All });
        all(Stand::in_one_process, flow, cases).await;
    }
}

#[tokio::test]
async fn deploy_is_struck_at_every_step() {
    everybody(Flow::Deploy).await;
}

#[tokio::test]
async fn rollback_is_struck_at_every_step() {
    everybody(Flow::Rollback).await;
}

#[tokio::test]
async fn cancel_is_struck_at_every_step() {
    everybody(Flow::Cancel).await;
}

#[tokio::test]
async fn delete_is_struck_at_every_step() {
    everybody(Flow::Delete).await;
}

#[tokio::test]
async fn a_job_is_struck_at_every_step() {
    everybody(Flow::Job).await;
}

/// Nodes never speak to it.
#[tokio::test]
async fn the_database_is_killed_at_every_step_of_the_server() {
    for flow in [Flow::Deploy, Flow::Rollback, Flow::Cancel, Flow::Job, Flow::Delete] {
        let of_server = steps(flow).filter(|step| step.part() == Part::Server);
        let cases = of_server.map(|checkpoint| Case { flow, checkpoint, victim: Victim::Postgres });
        all(Stand::on_postgres, flow, cases).await;
    }
}

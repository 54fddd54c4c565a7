use checkpoint::{Checkpoint, Flow};

use crate::apps::deploy;
use crate::flows::Case;
use crate::site::{Site, release};
use crate::stand::Stand;
use crate::victim::{ALWAYS, Victim};

/// Steps of a flow, but for the one that waits for a whole minute: see `due.rs`.
pub(crate) fn steps(flow: Flow) -> impl Iterator<Item = Checkpoint> {
    let steps = Checkpoint::ALL.iter().copied().filter(move |step| step.flows().contains(&flow));
    steps.filter(|step| *step != Checkpoint::DueRunRecorded)
}

/// What a flow needs to be there before it begins.
pub(crate) async fn prepared(stand: &Stand, flow: Flow, number: usize) -> Site {
    let mut site = Site::live(stand, &format!("site-{number}")).await;
    if flow == Flow::Rollback {
        site.newest = 2;
        deploy(&stand.client, &site.project, release(2, false)).await;
        site.version = 2;
    }
    site
}

/// Strikes one after the other on one server; a new one is taken after a case that failed.
async fn all(flow: Flow) {
    let mut failures = Vec::new();
    let mut stand = Stand::new().await;
    let mut site = None;
    let cases = steps(flow).flat_map(|checkpoint| ALWAYS.map(|victim| Case { flow, checkpoint, victim }));
    for (number, case) in cases.collect::<Vec<_>>().into_iter().enumerate() {
        if site.is_none() {
            site = Some(prepared(&stand, flow, number).await);
        }
        let start = std::time::Instant::now();
        let outcome = case.run(&mut stand, site.as_mut().unwrap()).await;
        eprintln!(
            "{:>5} ms {} {:?}: {}",
            start.elapsed().as_millis(),
            case.checkpoint.name(),
            case.victim,
            if outcome.is_ok() { "ok" } else { "FAILED" }
        );
        if flow == Flow::Delete || outcome.is_err() {
            site = None;
        }
        if let Err(failure) = outcome {
            eprintln!("  {failure}");
            failures.push(format!("{flow:?} {} {:?}\n  {failure}", case.checkpoint.name(), case.victim));
            stand = Stand::new().await;
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test]
async fn deploy_is_struck_at_every_step() {
    all(Flow::Deploy).await;
}

#[tokio::test]
async fn rollback_is_struck_at_every_step() {
    all(Flow::Rollback).await;
}

#[tokio::test]
async fn cancel_is_struck_at_every_step() {
    all(Flow::Cancel).await;
}

#[tokio::test]
async fn delete_is_struck_at_every_step() {
    all(Flow::Delete).await;
}

#[tokio::test]
async fn a_job_is_struck_at_every_step() {
    all(Flow::Job).await;
}

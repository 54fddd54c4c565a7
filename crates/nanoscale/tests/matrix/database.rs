use checkpoint::{Flow, Part};

use crate::cases::{prepared, steps};
use crate::flows::Case;
use crate::stand::Stand;
use crate::victim::Victim;

/// Nodes never speak to it.
#[tokio::test]
async fn the_database_is_killed_at_every_step_of_the_server() {
    let mut failures = Vec::new();
    let mut stand = Stand::on_postgres().await;
    let mut number = 0;
    for flow in [Flow::Deploy, Flow::Rollback, Flow::Cancel, Flow::Job, Flow::Delete] {
        let mut site = None;
        for checkpoint in steps(flow).filter(|step| step.part() == Part::Server) {
            let case = Case { flow, checkpoint, victim: Victim::Postgres };
            number += 1;
            if site.is_none() {
                site = Some(prepared(&stand, flow, number).await);
            }
            let outcome = case.run(&mut stand, site.as_mut().unwrap()).await;
            if flow == Flow::Delete || outcome.is_err() {
                site = None;
            }
            if let Err(failure) = outcome {
                eprintln!("{case:?}\n  {failure}");
                failures.push(format!("{flow:?} {}\n  {failure}", checkpoint.name()));
                stand = Stand::on_postgres().await;
            }
        }
        if let Some(site) = site {
            stand.client.project_delete(&site.project).await.unwrap();
            stand.client.wait_deleted(&site.project, crate::BUILD).await;
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

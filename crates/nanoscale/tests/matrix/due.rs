//! A schedule whose time has come. It does at a whole minute, so all victims share one.

use std::time::Duration;

use checkpoint::Checkpoint;
use ids::RunState;
use testkit::wait_some;

use crate::BUILD;
use crate::flows::{noted_once, run_log_faults, tick};
use crate::site::Site;
use crate::stand::Stand;
use crate::victim::Victim;

/// Until the next minute has begun.
const MINUTE: Duration = Duration::from_secs(75);

async fn strike(mut stand: Stand, victim: Victim) {
    let site = Site::live(&stand, "clock").await;
    std::fs::write(site.volume(&stand).join("go-1"), "").unwrap();
    let trap = stand.checkpoints.hold(Checkpoint::DueRunRecorded);
    let put = api::SchedulePut { schedule: "* * * * *".into(), ..tick(1) };
    stand.client.schedule_put(&site.project, "tick", &put).await.unwrap();
    let held = trap.reached(MINUTE).await.expect("its time comes");
    victim.strike(&mut stand, Some(held.pid)).await;
    drop(held);
    let runs = wait_some("the run has ended", BUILD, async || {
        let runs = stand.client.run_list(&site.project).await.ok()?;
        runs.iter().all(|run| run.state.is_settled()).then_some(runs)
    });
    let runs = runs.await.into_iter().filter(|run| run.scheduled_for.is_some()).collect::<Vec<_>>();
    assert_eq!(runs.len(), 1, "{victim:?}: {runs:#?}");
    assert_eq!(runs[0].state, RunState::Succeeded, "{victim:?}: {runs:#?}");
    noted_once(&stand, &site, 1, runs[0].state).unwrap();
    let faults = async || {
        let mut faults = site.all_faults(&stand).await;
        faults.extend(run_log_faults(&stand, &site, &runs[0].id));
        faults
    };
    stand.converge(faults).await.unwrap();
}

#[tokio::test]
async fn a_due_job_is_run_once_whoever_is_killed() {
    tokio::join!(
        async { strike(Stand::new().await, Victim::Server).await },
        async { strike(Stand::new().await, Victim::Edge).await },
        async { strike(Stand::new().await, Victim::Node).await },
        async { strike(Stand::new().await, Victim::Shim).await },
        async { strike(Stand::new().await, Victim::App).await },
        async { strike(Stand::on_postgres().await, Victim::Postgres).await },
    );
}

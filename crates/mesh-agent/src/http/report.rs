use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use wire::MeshReport;

use super::Served;

/// How long a question for news is kept open.
const LONG_POLL: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
pub(super) struct Than {
    than: Option<u64>,
}

/// What this machine offers, as soon as that is another report than that of generation `than`.
pub(super) async fn report(State(served): State<Served>, Query(Than { than }): Query<Than>) -> Json<MeshReport> {
    let mut report = served.offer.report();
    if let Some(than) = than {
        let _ = tokio::time::timeout(LONG_POLL, report.wait_for(|report| report.generation != than)).await;
    }
    let told = report.borrow().clone();
    Json(told)
}

//! A model that a machine fetches, from the order to its end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::super::client::Client;
use super::super::output;

const EVERY: Duration = Duration::from_millis(500);
/// For a machine that is away.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(client: &Client, json: bool, node_id: &str, model: &str) -> Result<ExitCode> {
    let found = super::find(client, node_id).await?;
    let create = api::MeshPullCreate { model: model.to_owned() };
    let path = ["mesh", "enrolments", found.id.as_str(), "pulls"];
    let mut pull = client.post::<api::MeshPull>(&path, &create).await?.value;
    let (mut told, mut lost) = (String::new(), None::<Instant>);
    while pull.state == "running" {
        let words = words(&pull);
        if words != told {
            output::note(&words);
            told = words;
        }
        tokio::time::sleep(EVERY).await;
        let pulls = super::find(client, node_id).await?.pulls;
        match pulls.into_iter().find(|it| it.model == pull.model) {
            Some(now) => (pull, lost) = (now, None),
            // A link that is lost comes back.
            None if lost.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {}
            None => bail!("{node_id} is away, or was started again: it knows nothing of the order any more"),
        }
    }
    let has_failed = pull.state == "failed";
    if json {
        output::line(serde_json::to_string(&pull)?)?;
    } else if has_failed {
        output::note(format!("{node_id} could not fetch {model}: {}", pull.message));
    } else {
        output::line(format!("{node_id} has {model}"))?;
    }
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// How far it has come, in whole percent: it is said once for each.
fn words(pull: &api::MeshPull) -> String {
    match pull.completed.saturating_mul(100).checked_div(pull.total) {
        Some(percent) => format!("{}: {percent} %", pull.message.split(':').next().unwrap_or_default()),
        None => pull.message.clone(),
    }
}

//! Models that an administrator of the mesh has ordered, where the machine's owner allows that: Ollama fetches them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use serde::Deserialize;
use wire::{MeshPull, PullState};

use crate::offer::Offer;
use crate::upstream::{Engine, chain};

/// Models that are fetched at the same time.
const MOST: usize = 2;
/// How often it is told how far one has come.
const TOLD: Duration = Duration::from_millis(500);
/// One that says nothing for so long is given up.
const STALL: Duration = Duration::from_secs(300);
/// Characters of a model's name, and of a reason.
const TEXT_MAX: usize = 256;
/// Bytes of a line of Ollama's.
const LINE_MAX: usize = 64 << 10;

/// Why none is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPulled {
    /// The owner has not allowed it.
    NotAllowed,
    /// No engine of this machine can.
    NoEngine,
    /// Others are fetched.
    Busy,
    /// It is no name.
    Invalid,
}

/// One line of what Ollama says while it fetches.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    total: Option<u64>,
    #[serde(default)]
    completed: Option<u64>,
}

/// Begins to fetch a model. It goes on whoever hangs up; one that is fetched already is not fetched twice.
pub(crate) fn begin(model: &str, offer: &Offer, engines: &Arc<[Engine]>) -> Result<MeshPull, NotPulled> {
    let model = model.trim();
    if model.is_empty() || model.chars().count() > TEXT_MAX || model.contains(char::is_control) {
        return Err(NotPulled::Invalid);
    }
    if !offer.allows_pulls() {
        return Err(NotPulled::NotAllowed);
    }
    let place = engines.iter().position(Engine::can_pull).ok_or(NotPulled::NoEngine)?;
    let pulls = offer.pulls();
    let mut running = pulls.iter().filter(|pull| pull.state == PullState::Running);
    if let Some(pull) = running.clone().find(|pull| pull.model == model) {
        return Ok(pull.clone());
    }
    if running.by_ref().count() >= MOST {
        return Err(NotPulled::Busy);
    }
    let pull =
        MeshPull { model: model.to_owned(), state: PullState::Running, completed: 0, total: 0, message: String::new() };
    offer.set_pull(pull.clone());
    let (offer, engines, mut pulled) = (offer.clone(), engines.clone(), pull.clone());
    tokio::spawn(async move {
        let ended = fetch(&engines[place], &mut pulled, &offer).await;
        match ended {
            Ok(()) => pulled.state = PullState::Done,
            Err(reason) => {
                pulled.state = PullState::Failed;
                pulled.message = reason.chars().take(TEXT_MAX).collect();
            }
        }
        tracing::info!(model = pulled.model, state = ?pulled.state, message = pulled.message, "a model was ordered");
        offer.set_pull(pulled);
    });
    Ok(pull)
}

fn silent() -> String {
    "Ollama says nothing any more".into()
}

async fn fetch(engine: &Engine, pull: &mut MeshPull, offer: &Offer) -> Result<(), String> {
    let asked = tokio::time::timeout(STALL, engine.pull(&pull.model)).await.map_err(|_| silent())?;
    let response = asked.map_err(|error| chain(&error))?;
    let mut body = response.into_body();
    // It fetches layers one after the other: what those before had is done.
    let (mut before, mut layer, mut told) = (0, None, Instant::now());
    let mut rest = Vec::new();
    while let Some(frame) = tokio::time::timeout(STALL, body.frame()).await.map_err(|_| silent())? {
        let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let text = rest.drain(..=end).collect::<Vec<_>>();
            let line: Line =
                serde_json::from_slice(&text).map_err(|_| "it says what Ollama does not say".to_owned())?;
            if let Some(error) = line.error {
                return Err(error);
            }
            if line.status == "success" {
                return Ok(());
            }
            if line.digest != layer {
                (before, layer) = (pull.completed, line.digest);
            }
            pull.completed = before + line.completed.unwrap_or_default();
            pull.total = pull.total.max(before + line.total.unwrap_or_default());
            pull.message = line.status.chars().take(TEXT_MAX).collect();
            if told.elapsed() >= TOLD {
                told = Instant::now();
                offer.set_pull(pull.clone());
            }
        }
        if rest.len() > LINE_MAX {
            return Err("it says what Ollama does not say".into());
        }
    }
    Err("it broke off".into())
}

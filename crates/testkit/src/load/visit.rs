use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use super::Seen;
use crate::visitor::{App, Reply, WebSocket};

/// Between two visits of one visitor.
const PAUSE: Duration = Duration::from_millis(10);
/// The slow upload: so many pieces, one after each pause.
const PIECES: usize = 10;
const PIECE_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    KeepAlive,
    NewConnection,
    Post,
    SlowUpload,
    Echo,
}

/// The version that answered, or what went wrong.
pub(super) type Outcome = Result<Option<String>, String>;

// === impl Kind ===

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::KeepAlive, Self::NewConnection, Self::Post, Self::SlowUpload, Self::Echo];

    fn name(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive GET",
            Self::NewConnection => "new-connection GET",
            Self::Post => "POST",
            Self::SlowUpload => "slow upload",
            Self::Echo => "WebSocket",
        }
    }
}

/// One visitor: a visit after the other, until told to stop.
pub(super) async fn forever(kind: Kind, app: App, seen: Arc<Seen>, stopped: watch::Receiver<bool>) {
    let begin = Instant::now();
    let app = if kind == Kind::NewConnection { app.without_keep_alive() } else { app };
    let mut socket = None;
    let mut count = 0_u64;
    while !*stopped.borrow() {
        count += 1;
        let started = Instant::now();
        let outcome = match kind {
            Kind::KeepAlive | Kind::NewConnection => get(&app).await,
            Kind::Post => post(&app, count).await,
            Kind::SlowUpload => upload(&app).await,
            Kind::Echo => echo(&app, &mut socket, count).await,
        };
        // The deliberately slow one says nothing about the app's speed.
        let took = if kind == Kind::SlowUpload { Duration::ZERO } else { started.elapsed() };
        seen.record(kind.name(), outcome, took, begin.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    if let Some(socket) = socket {
        // The app may be gone already.
        let _ = socket.close(None).await;
    }
}

async fn get(app: &App) -> Outcome {
    let reply = good(app.get("/").await)?;
    let version = reply.version().map(str::to_owned);
    match &version {
        // The examples tell it twice, so that a mix-up of head and body would show.
        Some(version) if !reply.text().contains(&format!("version={version}")) => {
            Err(format!("the header says version {version}, the body {:?}", reply.text()))
        }
        _ => Ok(version),
    }
}

async fn post(app: &App, count: u64) -> Outcome {
    let body = format!("visit {count} ").repeat(100);
    let reply = good(app.post("/echo", body.clone()).await)?;
    if reply.body == body {
        Ok(reply.version().map(str::to_owned))
    } else {
        Err("the echo is not what was sent".into())
    }
}

async fn upload(app: &App) -> Outcome {
    let piece = Bytes::from(vec![b'x'; 8 << 10]);
    let pieces = stream::iter(std::iter::repeat_n(piece.clone(), PIECES)).then(|piece| async {
        tokio::time::sleep(PIECE_PAUSE).await;
        piece
    });
    let reply = good(app.upload("/echo", pieces).await)?;
    if reply.body == piece.repeat(PIECES) {
        Ok(reply.version().map(str::to_owned))
    } else {
        Err(format!("{} of {} bytes came back", reply.body.len(), piece.len() * PIECES))
    }
}

/// One message and its echo. A connection that the other side closes properly is opened again.
async fn echo(app: &App, socket: &mut Option<WebSocket>, count: u64) -> Outcome {
    let mut open = match socket.take() {
        Some(open) => open,
        None => app.websocket("/ws").await.map_err(|error| format!("cannot open: {error}"))?,
    };
    let version = open.version.clone();
    match open.echo(&format!("message {count}")).await? {
        Some(()) => *socket = Some(open),
        // The answer to its close frame; it need not wait for it.
        None => drop(open.close(None).await),
    }
    Ok(version)
}

fn good(reply: Result<Reply, reqwest::Error>) -> Result<Reply, String> {
    match reply {
        Ok(reply) if reply.status == 200 => Ok(reply),
        Ok(reply) => Err(format!("status {}: {}", reply.status, reply.text().chars().take(200).collect::<String>())),
        Err(error) => Err(format!("{error:?}")),
    }
}

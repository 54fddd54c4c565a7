//! What one terminal puts out, on its way into a connection that others use too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ws::Message;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::mpsc;
use wire::attach::{self, Attached};
use wire::shim::Exit;

use super::super::attach::{cut, next, parse};
use super::super::frames::Frames;
use super::words::{Session, Text, say};
use crate::error::Result;

pub(super) struct View {
    pub(super) session: Session,
    /// Somebody came back to it: what it has put out until now is told in one piece.
    pub(super) is_return: bool,
    /// Its end was asked for over this connection.
    pub(super) is_closed: Arc<AtomicBool>,
    pub(super) out: mpsc::Sender<Message>,
}

/// What was put out until somebody came.
struct Scrollback {
    text: String,
    /// Offset at which it ends.
    end: u64,
}

/// How far it is told.
#[derive(Default)]
struct Told {
    until: u64,
    text: Text,
    scrollback: Option<Scrollback>,
}

impl View {
    /// Until its process has ended, or nobody listens any more.
    ///
    /// # Errors
    /// When the way to its node is cut.
    pub(super) async fn show(self, mut output: Incoming) -> Result<()> {
        let (mut frames, mut told) = (Frames::default(), Told::default());
        while let Some((kind, payload)) = next(&mut frames, &mut output).await? {
            let is_end = kind == attach::EXIT;
            if self.tell(kind, &payload, &mut told).await.is_none() {
                // Until the node hangs up, so that it takes what was typed.
                while let Some(Ok(_)) = output.frame().await {}
                return Ok(());
            }
            if is_end {
                return Ok(());
            }
        }
        Err(cut())
    }

    /// Nothing when nobody listens any more.
    async fn tell(&self, kind: u8, payload: &Bytes, told: &mut Told) -> Option<()> {
        match kind {
            attach::ATTACHED => {
                let Attached { from, end, .. } = parse(payload).ok()?;
                told.until = from;
                let scrollback = Scrollback { text: String::new(), end };
                told.scrollback = self.is_return.then_some(scrollback);
                self.flush(told).await
            }
            // Draws the screen as it was before the output that follows.
            attach::SNAPSHOT => self.put(payload, told).await,
            attach::OUTPUT => {
                let earlier = told.scrollback.as_ref().map_or(0, |scrollback| scrollback.end - told.until);
                let (earlier, now) =
                    payload.split_at(usize::try_from(earlier).unwrap_or(usize::MAX).min(payload.len()));
                told.until += earlier.len() as u64;
                self.put(earlier, told).await?;
                self.flush(told).await?;
                told.until += now.len() as u64;
                self.put(now, told).await
            }
            attach::NAME => {
                let name = String::from_utf8_lossy(payload);
                self.say("session_renamed", json!({ "sessionId": self.session.id, "name": name })).await
            }
            attach::EXIT => self.tell_end(parse(payload).ok()?, told).await,
            // Sizes are the client's own affair in this vocabulary.
            _ => Some(()),
        }
    }

    async fn tell_end(&self, exit: Exit, told: &mut Told) -> Option<()> {
        if let Some(scrollback) = &mut told.scrollback {
            scrollback.end = told.until;
        }
        self.flush(told).await?;
        let reason = if self.is_closed.load(Ordering::Relaxed) { "user_requested" } else { "process_exit" };
        let mut data = json!({ "sessionId": self.session.id, "reason": reason });
        // Of one that a signal ended, as a shell tells it.
        if let Some(code) = exit.code.or_else(|| exit.signal.map(|signal| 128 + signal)) {
            data["exitCode"] = code.into();
        }
        self.say("session_closed", data).await
    }

    async fn put(&self, bytes: &[u8], told: &mut Told) -> Option<()> {
        let text = told.text.push(bytes);
        match &mut told.scrollback {
            _ if text.is_empty() => Some(()),
            Some(scrollback) => {
                scrollback.text.push_str(&text);
                Some(())
            }
            None => self.say("output", json!({ "data": text })).await,
        }
    }

    /// The scrollback, when it is whole.
    async fn flush(&self, told: &mut Told) -> Option<()> {
        match told.scrollback.take_if(|scrollback| scrollback.end <= told.until) {
            Some(scrollback) => self.say("scrollback", json!({ "data": scrollback.text })).await,
            None => Some(()),
        }
    }

    async fn say(&self, kind: &str, data: serde_json::Value) -> Option<()> {
        self.out.send(say(kind, Some(&self.session.id), Some(data))).await.ok()
    }
}

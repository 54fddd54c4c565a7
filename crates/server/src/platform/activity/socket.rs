use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};

use super::{Follow, shown};

/// What a client says is short.
pub(super) const MESSAGE_MAX: usize = 4096;

/// Tells what happens until the client leaves.
pub(super) async fn serve(mut socket: WebSocket, mut follow: Follow) {
    loop {
        let sent = tokio::select! {
            events = follow.next() => {
                let mut sent = Ok(());
                for event in events {
                    let frame = json!({ "type": "activity.new", "payload": shown(event) });
                    sent = socket.send(Message::text(frame.to_string())).await;
                    if sent.is_err() {
                        break;
                    }
                }
                sent
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => match answer(&text) {
                    Some(answer) => socket.send(Message::text(answer)).await,
                    None => Ok(()),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => Ok(()),
            },
        };
        if sent.is_err() {
            return;
        }
    }
}

/// In the spelling of the question.
fn answer(text: &str) -> Option<&'static str> {
    if text.trim() == "ping" {
        return Some("pong");
    }
    let asked = serde_json::from_str::<Value>(text).ok()?;
    (asked["type"] == "ping").then_some(r#"{"type":"pong"}"#)
}

//! The DevTools protocol: JSON over one WebSocket, calls answered by number, events by session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use crate::background::{self, Task};
use crate::visitor::Socket;
use crate::wait::PATIENCE;

/// A connection to a browser. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct DevTools {
    outgoing: mpsc::UnboundedSender<String>,
    shared: Arc<Shared>,
    _task: Arc<Task>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    calls: BTreeMap<u64, oneshot::Sender<Result<Value, String>>>,
    listeners: BTreeMap<String, mpsc::UnboundedSender<Event>>,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) method: String,
    pub(super) params: Value,
}

// === impl DevTools ===

impl DevTools {
    pub(super) async fn connect(address: &str) -> Self {
        let authority = address.split('/').nth(2).expect("an address has a host");
        let stream = tokio::net::TcpStream::connect(authority).await.expect("reach the browser");
        // The socket belongs to the background runtime: the test's own may be busy.
        let stream = stream.into_std().expect("hand the connection over");
        let (outgoing, received) = mpsc::unbounded_channel();
        let shared = Arc::<Shared>::default();
        let (address, reader) = (address.to_owned(), shared.clone());
        let task = background::spawn(async move {
            let stream = tokio::net::TcpStream::from_std(stream).expect("take the connection over");
            let (socket, _) = client_async(address, stream).await.expect("speak to the browser");
            reader.run(socket, received).await;
        });
        Self { outgoing, shared, _task: Arc::new(task) }
    }

    /// Calls a method, of the browser or of a session, and waits for its result.
    pub(super) async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let answer = self.send(session, method, params);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer.map_err(|error| format!("{method}: {error}")),
            Ok(Err(_)) => Err(format!("{method}: the browser is gone")),
            Err(_) => Err(format!("{method}: no answer within {PATIENCE:?}")),
        }
    }

    /// Calls a method; the answer may be dropped.
    pub(super) fn send(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> oneshot::Receiver<Result<Value, String>> {
        let (answer, received) = oneshot::channel();
        let mut state = self.shared.lock();
        state.last_id += 1;
        let mut message = json!({ "id": state.last_id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        if self.outgoing.send(message.to_string()).is_ok() {
            let id = state.last_id;
            state.calls.insert(id, answer);
        }
        received
    }

    pub(super) fn listen(&self, session: &str) -> mpsc::UnboundedReceiver<Event> {
        let (send, received) = mpsc::unbounded_channel();
        self.shared.lock().listeners.insert(session.to_owned(), send);
        received
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, mut socket: Socket, mut outgoing: mpsc::UnboundedReceiver<String>) {
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                Some(text) = outgoing.recv() => match socket.send(Message::text(text)).await {
                    Ok(()) => continue,
                    Err(_) => break,
                },
            };
            match message {
                Some(Ok(Message::Text(text))) => self.dispatch(&text),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
        // Whoever waits learns that nothing comes.
        let mut state = self.lock();
        state.calls.clear();
        state.listeners.clear();
    }

    fn dispatch(&self, text: &str) {
        let Ok(mut message) = serde_json::from_str::<Value>(text) else { return };
        let mut state = self.lock();
        if let Some(answer) = message["id"].as_u64().and_then(|id| state.calls.remove(&id)) {
            let result = match message["error"].take() {
                Value::Null => Ok(message["result"].take()),
                error => Err(error["message"].as_str().unwrap_or("an error without words").to_owned()),
            };
            // The caller may have stopped waiting.
            let _ = answer.send(result);
        } else if let Some(method) = message["method"].as_str().map(str::to_owned) {
            let session = message["sessionId"].as_str().unwrap_or_default();
            if let Some(listener) = state.listeners.get(session) {
                let _ = listener.send(Event { method, params: message["params"].take() });
            }
        }
    }
}

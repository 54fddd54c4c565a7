use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::support::{Running, Wire, soon, until};

/// Clients that go on asking until told to stop, and are content with nothing but 200.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: JoinSet<()>,
}

impl Load {
    pub(crate) fn of(edge: &Running, requests: &[String], clients: usize) -> Self {
        let mut load = Self { stop: Arc::default(), done: Arc::default(), clients: JoinSet::new() };
        for request in requests.iter().cycle().take(clients) {
            let (addr, request) = (edge.addr, request.clone());
            let (stop, done) = (load.stop.clone(), load.done.clone());
            load.clients.spawn(async move {
                let mut wire = Wire::connect(addr).await;
                while !stop.load(Ordering::SeqCst) {
                    wire.send(&request).await;
                    let reply = wire.reply().await;
                    assert_eq!(reply.status, 200, "{}", reply.body);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        load
    }

    pub(crate) async fn more(&self, requests: usize) {
        let done = self.done.load(Ordering::SeqCst);
        until(|| self.done.load(Ordering::SeqCst) > done + requests || self.clients.is_empty()).await;
    }

    pub(crate) async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(client) = soon(self.clients.join_next()).await {
            client.unwrap();
        }
    }
}

pub(crate) fn post(host: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\nhi")
}

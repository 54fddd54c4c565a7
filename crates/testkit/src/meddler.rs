//! Somebody on the way between two parts: sees what passes, keeps it, holds it up, cuts it off.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes TCP connections on to another address of this machine, until it is dropped.
pub struct Meddler {
    address: SocketAddr,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Inner {
    doing: Mutex<Doing>,
    /// What clients sent, a connection each.
    seen: Mutex<Vec<Vec<u8>>>,
    is_cut: watch::Sender<bool>,
}

/// What happens to the connections that begin from now on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Doing {
    /// The client's bytes that pass; after them both ends are closed.
    pub cut_after: Option<usize>,
    /// Each piece of the client's waits so long.
    pub delay: Duration,
    /// This byte of the client's arrives changed.
    pub change: Option<usize>,
}

// === impl Meddler ===

impl Meddler {
    pub async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("its address");
        let inner = Arc::<Inner>::default();
        let shared = inner.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut is_cut = shared.is_cut.subscribe();
                if *is_cut.borrow_and_update() {
                    continue;
                }
                let Ok(server) = TcpStream::connect(target).await else { continue };
                let passes = pass(shared.clone(), client, server);
                tokio::spawn(async move {
                    tokio::select! {
                        () = passes => {}
                        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        Self { address, inner, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn does(&self, doing: Doing) {
        *lock(&self.inner.doing) = doing;
    }

    /// Ends every connection, and lets none pass until it is mended.
    pub fn cut(&self) {
        self.inner.is_cut.send_replace(true);
    }

    pub fn mend(&self) {
        self.inner.is_cut.send_replace(false);
    }

    /// What clients sent so far, a connection each.
    pub fn seen(&self) -> Vec<Vec<u8>> {
        lock(&self.inner.seen).clone()
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(inner: Arc<Inner>, client: TcpStream, server: TcpStream) {
    let doing = *lock(&inner.doing);
    let number = {
        let mut seen = lock(&inner.seen);
        seen.push(Vec::new());
        seen.len() - 1
    };
    let ((from_client, mut to_client), (mut from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = outward(&inner, number, doing, from_client, to_server) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}

async fn outward(inner: &Inner, number: usize, doing: Doing, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        lock(&inner.seen)[number].extend_from_slice(&buffer[..read]);
        tokio::time::sleep(doing.delay).await;
        if let Some(at) = doing.change.and_then(|at| at.checked_sub(passed)).filter(|at| *at < read) {
            buffer[at] ^= 1;
        }
        let allowed = doing.cut_after.map_or(read, |most| read.min(most.saturating_sub(passed)));
        if to.write_all(&buffer[..allowed]).await.is_err() || allowed < read {
            return;
        }
        passed += read;
    }
}

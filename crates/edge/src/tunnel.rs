//! Connections that changed their protocol: bytes pass untouched both ways until one side or the proxy ends it.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, sink, split};
use tokio::time::{Instant, sleep_until, timeout};

use crate::frames::{self, Frames};
use crate::serve::Serving;
use crate::upstream::Claim;

/// How long the ends may take to answer a farewell.
pub(crate) const LINGER: Duration = Duration::from_secs(1);
const BUFFER: usize = 8 * 1024;

/// Close codes of RFC 6455 section 7.4.1 and its registry: service restart; going away.
const RESTART: u16 = 1012;
const AWAY: u16 = 1001;

pub(crate) struct Tunnel {
    pub(crate) claim: Claim,
    pub(crate) serving: Arc<Serving>,
    pub(crate) websocket: bool,
}

impl Tunnel {
    /// Forwards until both sides ended, one failed, or the upstream or the listener had enough.
    pub(crate) async fn run(self, client: OnUpgrade, upstream: OnUpgrade) {
        let (client, upstream) = match tokio::try_join!(client, upstream) {
            Ok(ends) => ends,
            Err(error) => return tracing::debug!(%error, "upgrade failed"),
        };
        let ways = Ways::new();
        let (mut client_read, mut client_write) = split(TokioIo::<Upgraded>::new(client));
        let (mut upstream_read, mut upstream_write) = split(TokioIo::<Upgraded>::new(upstream));
        let pumped = tokio::select! {
            ended = async {
                tokio::try_join!(
                    self.pump(&mut client_read, &mut upstream_write, &ways, &ways.to_upstream),
                    self.pump(&mut upstream_read, &mut client_write, &ways, &ways.to_client),
                )
            } => Some(ended),
            () = self.stop(&ways) => None,
        };
        match pumped {
            Some(Ok(_)) => return,
            Some(Err(error)) => return tracing::debug!(%error, "tunnel broke"),
            None => {}
        }
        let farewell = async {
            if self.websocket && ways.to_client.at_boundary() {
                client_write.write_all(&frames::close_to_client(RESTART)).await?;
            }
            if self.websocket && ways.to_upstream.at_boundary() {
                upstream_write.write_all(&frames::close_to_server(AWAY, masking_key())).await?;
            }
            client_write.shutdown().await?;
            upstream_write.shutdown().await?;
            // To close with bytes unread would reset the connection and take the farewell along.
            let (mut from_client, mut from_upstream) = (sink(), sink());
            tokio::try_join!(
                tokio::io::copy(&mut client_read, &mut from_client),
                tokio::io::copy(&mut upstream_read, &mut from_upstream),
            )
        };
        let _ = timeout(LINGER, farewell).await;
    }

    async fn pump(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        ways: &Ways,
        way: &Way,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut frames = self.websocket.then(Frames::default);
        loop {
            let n = from.read(&mut buffer).await?;
            if n == 0 {
                return to.shutdown().await;
            }
            way.between.store(false, Ordering::Relaxed);
            ways.touch();
            to.write_all(&buffer[..n]).await?;
            to.flush().await?;
            ways.touch();
            if let Some(frames) = &mut frames {
                frames.advance(&buffer[..n]);
                way.between.store(frames.at_boundary(), Ordering::Relaxed);
            }
        }
    }

    /// Resolves when the tunnel must end.
    async fn stop(&self, ways: &Ways) {
        let leave = async {
            tokio::select! {
                () = self.claim.leaving() => {}
                () = self.serving.closing.cancelled() => {}
            }
            if !self.websocket {
                std::future::pending::<()>().await;
            }
            ways.until_quiet(self.serving.config().websocket_quiet).await;
        };
        tokio::select! {
            () = self.claim.cut() => {}
            () = self.serving.cut.cancelled() => {}
            () = leave => {}
        }
    }
}

struct Ways {
    to_upstream: Way,
    to_client: Way,
    began: Instant,
    /// When a byte last passed, in milliseconds since `began`.
    last: AtomicU64,
}

struct Way {
    /// All that was read is written, and ends where a frame ends.
    between: AtomicBool,
}

impl Ways {
    fn new() -> Self {
        let way = || Way { between: AtomicBool::new(true) };
        Self { to_upstream: way(), to_client: way(), began: Instant::now(), last: AtomicU64::new(0) }
    }

    fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    async fn until_quiet(&self, quiet: Duration) {
        loop {
            let due = self.began + Duration::from_millis(self.last.load(Ordering::Relaxed)) + quiet;
            let now = Instant::now();
            if now < due {
                sleep_until(due).await;
            } else if self.to_upstream.at_boundary() && self.to_client.at_boundary() {
                return;
            } else {
                sleep_until(now + quiet).await;
            }
        }
    }
}

impl Way {
    fn at_boundary(&self) -> bool {
        self.between.load(Ordering::Relaxed)
    }
}

/// Section 5.3 wants a key nobody can foresee.
fn masking_key() -> [u8; 4] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0).to_ne_bytes();
    [a, b, c, d]
}

//! One HTTP/2 connection, each stream of which is a connection between two edges.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::link::{CONNECTION_WINDOW, STREAM_WINDOW};

type Body = BoxBody<Bytes, io::Error>;

/// Bytes of the longest answer to something short.
const ANSWER_MAX: usize = 64 << 10;

#[derive(Clone)]
pub(super) struct Channel(SendRequest<Body>);

// === impl Channel ===

impl Channel {
    /// Speaks HTTP/2 on `io`. The task ends with the connection: when the other side ends it, when it is silent for
    /// both durations together, or when nobody has the channel any more and its streams have ended.
    pub(super) async fn open<T>(io: T, sign_of_life: Duration, silence: Duration) -> io::Result<(Self, JoinHandle<()>)>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(sign_of_life)
            .keep_alive_timeout(silence)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(io))
            .await
            .map_err(io::Error::other)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to another node ended");
            }
        });
        Ok((Self(sender), driver))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Whether the other side takes anything from this one.
    pub(super) async fn greet(&mut self) -> io::Result<()> {
        let nothing = BodyExt::boxed(Empty::new().map_err(|never| match never {}));
        let request = Request::get("http://peer/v1/peers").body(nothing).map_err(io::Error::other)?;
        expect(self.0.send_request(request).await, StatusCode::NO_CONTENT).map(drop)
    }

    /// Asks the other side something short.
    pub(super) async fn ask(&mut self, path: &str, question: Vec<u8>) -> io::Result<(StatusCode, Bytes)> {
        let body = BodyExt::boxed(Full::new(question.into()).map_err(|never| match never {}));
        let request = Request::post(format!("http://peer{path}")).body(body).map_err(io::Error::other)?;
        let response = self.0.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status();
        let answer = Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(io::Error::other)?;
        Ok((status, answer.to_bytes()))
    }

    /// Carries one connection of the edge to the other node and back, until both directions have ended.
    pub(super) async fn carry(&mut self, stream: UnixStream, path: &str) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let outward = BodyExt::boxed(StreamBody::new(ReaderStream::with_capacity(read, 64 * 1024).map_ok(Frame::data)));
        let request = Request::post(format!("http://peer{path}")).body(outward).map_err(io::Error::other)?;
        let response = expect(self.0.send_request(request).await, StatusCode::OK)?;
        let inward = response.into_body().into_data_stream().map_err(io::Error::other);
        tokio::io::copy(&mut StreamReader::new(inward), &mut write).await?;
        write.shutdown().await
    }
}

fn expect<T>(answer: hyper::Result<hyper::Response<T>>, status: StatusCode) -> io::Result<hyper::Response<T>> {
    let answer = answer.map_err(io::Error::other)?;
    if answer.status() == status {
        Ok(answer)
    } else {
        Err(io::Error::other(format!("the other side answers {}", answer.status())))
    }
}

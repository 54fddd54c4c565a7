//! Bytes over a WebSocket: each side's messages, one after the other, are its stream.

use std::io;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

/// Bytes that are read at once: a record of TLS. The buffer is filled with zeros for every read, and each link keeps one;
/// the library's own 128 kB would be most of what an idle link takes.
pub const READ_BUFFER: usize = 16 << 10;

/// Opens a WebSocket at `url`, whose server `io` is connected to. A server that answers something else is an error
/// that carries its answer.
pub async fn open<T>(url: &str, io: T) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<T>, Refusal>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = url.into_client_request().map_err(|error| Refusal::Broken(io::Error::other(error)))?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let opened = tokio_tungstenite::client_async_with_config(request, io, Some(config)).await;
    let (socket, _) = opened.map_err(|error| match error {
        Error::Http(response) => Refusal::Answered(response.map(Option::unwrap_or_default)),
        Error::Io(error) => Refusal::Broken(error),
        other => Refusal::Broken(io::Error::other(other)),
    })?;
    let (sink, stream) = socket.split();
    let bytes = stream.filter_map(async |message| match message {
        Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    });
    Ok(stream_of(
        Box::pin(bytes),
        Box::pin(sink.sink_map_err(io::Error::other).with(async |bytes| Ok(Message::Binary(bytes)))),
    ))
}

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the server answers {} there", .0.status())]
    Answered(Response<Vec<u8>>),
    #[error(transparent)]
    Broken(io::Error),
}

/// The bytes of messages as one stream, and what is written to it as messages.
pub fn stream_of<R, W>(messages: R, sink: W) -> impl AsyncRead + AsyncWrite + Unpin + Send + use<R, W>
where
    R: Stream<Item = io::Result<Bytes>> + Unpin + Send + 'static,
    W: Sink<Bytes, Error = io::Error> + Unpin + Send + 'static,
{
    tokio::io::join(StreamReader::new(messages), SinkWriter::new(CopyToBytes::new(sink)))
}

//! What a node answers when it is asked for a log.

use std::marker::PhantomData;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Records of a body of JSON lines.
pub(crate) struct Lines<T> {
    body: Incoming,
    rest: BytesMut,
    record: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// `place` is the request's field that may name a place that is none.
    pub(crate) fn of(response: Response<Incoming>, place: &str) -> Result<Self> {
        match response.status() {
            status if status.is_success() => {
                Ok(Self { body: response.into_body(), rest: BytesMut::new(), record: PhantomData })
            }
            StatusCode::TOO_MANY_REQUESTS => Err(Error::unavailable(
                "TOO_MANY_READERS",
                "too many logs are followed on this node right now; close one, or try again in a moment",
            )),
            StatusCode::BAD_REQUEST => Err(Error::invalid(
                place,
                "INVALID_CURSOR",
                format!("`{place}` is taken from an earlier answer as it came; leave it out to begin anew"),
            )),
            StatusCode::NOT_FOUND => Err(Error::unavailable(
                "NODE_TOO_OLD",
                "the program on this node is too old to be asked for this; bring it up to date",
            )),
            status => Err(Error::internal(format!("the node answered {status} when asked for a log"))),
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line = self.rest.split_to(end);
                self.rest.advance(1);
                return Ok(Some(serde_json::from_slice(&line).map_err(Error::internal)?));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(Error::internal)?.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// The whole body, of an answer that is one value.
    pub(crate) async fn json<W: DeserializeOwned>(self) -> Result<W> {
        let bytes: Bytes = self.body.collect().await.map_err(Error::internal)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(Error::internal)
    }
}

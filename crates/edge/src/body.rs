//! Bodies on their way through: frames pass as they come, nothing is collected.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::pool::Sender;
use crate::upstream::Claim;

/// What is sent to an upstream.
pub(crate) enum RequestBody {
    Empty,
    Client(Incoming),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body) => body.size_hint(),
        }
    }
}

/// What is sent to a client.
pub(crate) enum ResponseBody {
    Empty,
    Page(Bytes),
    Upstream(Lent),
}

/// A response's body with what it holds of its upstream: the connection, given back when the body was read to its
/// end, and the claim.
pub(crate) struct Lent {
    body: Incoming,
    ended: bool,
    sender: Option<Sender>,
    claim: Claim,
}

impl Lent {
    pub(crate) fn new(body: Incoming, sender: Sender, claim: Claim) -> Self {
        Self { body, ended: false, sender: Some(sender), claim }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if (self.ended || self.body.is_end_stream())
            && let Some(sender) = self.sender.take()
        {
            self.claim.pool().put(sender);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Page(page) => {
                let page = std::mem::take(page);
                Poll::Ready((!page.is_empty()).then(|| Ok(Frame::data(page))))
            }
            Self::Upstream(lent) => {
                let frame = Pin::new(&mut lent.body).poll_frame(cx);
                lent.ended |= matches!(frame, Poll::Ready(None));
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Page(page) => page.is_empty(),
            Self::Upstream(lent) => lent.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Page(page) => SizeHint::with_exact(page.len() as u64),
            Self::Upstream(lent) => lent.body.size_hint(),
        }
    }
}

//! Notices requests that state their length in two ways (RFC 9112 section 6.3).
//!
//! hyper goes by `Transfer-Encoding` and drops `Content-Length` before anybody else sees the head, so what is sent on
//! is unambiguous. But a proxy before this one may have gone by the other field and take what follows for the next
//! request. So the bytes are looked at on their way in: each head that comes in one read. Where heads were lost sight
//! of (split, or behind a chunked body), a chunked request is the last one of its connection.

use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Default)]
pub(crate) struct Framing(Arc<Mutex<State>>);

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    /// The next byte begins a head.
    #[default]
    Head,
    /// A head was read, and `read` bytes of what follows. `length` is known once the head is parsed.
    Body {
        has_length: bool,
        read: u64,
        length: Option<u64>,
    },
    Lost,
}

/// Whether the connection can be used for another request.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Sound,
    /// Nobody can tell: this must be the last request.
    Last,
    /// Both fields are there.
    Ambiguous,
}

impl Framing {
    /// To be called once for each request, when its head is parsed. `length` is the body's, `None` when chunked.
    pub(crate) fn head(&self, length: Option<u64>) -> Verdict {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = *state;
        *state = match (seen, length) {
            (State::Body { has_length, read, length: None }, Some(length)) if read <= length => {
                State::Body { has_length, read, length: Some(length) }
            }
            _ => State::Lost,
        };
        match (seen, length) {
            (_, Some(_)) => Verdict::Sound,
            (State::Body { has_length: true, length: None, .. }, None) => Verdict::Ambiguous,
            (State::Body { has_length: false, length: None, .. }, None) => Verdict::Sound,
            _ => Verdict::Last,
        }
    }

    /// To be called with all that comes in.
    pub(crate) fn read(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match *state {
            State::Head => scan(bytes),
            State::Body { read, length: Some(length), .. } if read == length => scan(bytes),
            State::Body { has_length, read, length } => {
                let read = read + bytes.len() as u64;
                if length.is_some_and(|length| read > length) {
                    State::Lost
                } else {
                    State::Body { has_length, read, length }
                }
            }
            State::Lost => State::Lost,
        };
    }
}

/// What is known after `bytes`, which begin a head.
fn scan(bytes: &[u8]) -> State {
    const LENGTH: &[u8] = b"content-length";
    let (mut start, mut began, mut has_length) = (0, false, false);
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = &bytes[start..end];
        start = end + 1;
        if matches!(line, [] | [b'\r']) {
            // Empty lines before a request are allowed (RFC 9112 section 2.2).
            if began {
                return State::Body { has_length, read: (bytes.len() - start) as u64, length: None };
            }
        } else {
            began = true;
            has_length |= line.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH));
        }
    }
    if began || start < bytes.len() { State::Lost } else { State::Head }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    const BOTH: &[u8] = b"POST / HTTP/1.1\r\ncontent-LENGTH: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    const GET: &[u8] = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn verdicts() {
        let framing = Framing::default();
        for _ in 0..3 {
            framing.read(GET);
            assert_eq!(framing.head(Some(0)), Verdict::Sound);
        }
        framing.read(b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc");
        assert_eq!(framing.head(Some(6)), Verdict::Sound);
        framing.read(b"def");
        framing.read(BOTH);
        assert_eq!(framing.head(None), Verdict::Ambiguous);
    }

    #[test]
    fn what_was_not_seen_is_the_last() {
        let framing = Framing::default();
        framing.read(CHUNKED);
        assert_eq!(framing.head(None), Verdict::Sound);
        framing.read(CHUNKED);
        assert_eq!(framing.head(None), Verdict::Last);

        let pipelined = Framing::default();
        pipelined.read(&[GET, BOTH].concat());
        assert_eq!(pipelined.head(Some(0)), Verdict::Sound);
        assert_eq!(pipelined.head(None), Verdict::Last);

        let split = Framing::default();
        split.read(&BOTH[..20]);
        split.read(&BOTH[20..]);
        assert_eq!(split.head(None), Verdict::Last);
    }
}

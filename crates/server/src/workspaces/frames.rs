//! Frames of a terminal's connection, taken apart as they come from a node.

use bytes::{Buf, Bytes, BytesMut};
use wire::shim::frame::{HEAD, MAX};

use crate::error::{Error, Result};

/// Bytes that came, and are not taken yet. A frame that lies in one piece is given out without a copy.
#[derive(Default)]
pub(super) struct Frames {
    chunk: Bytes,
    /// The beginning of a frame whose rest is still to come.
    partial: BytesMut,
}

impl Frames {
    /// The next bytes; all frames before them were taken.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// The next whole frame: its kind, and the rest.
    ///
    /// # Errors
    /// When one is longer than any may be.
    pub(super) fn take(&mut self) -> Result<Option<(u8, Bytes)>> {
        loop {
            if self.partial.is_empty() {
                if let Some((kind, length)) = head(&self.chunk)?
                    && self.chunk.len() >= length
                {
                    let mut frame = self.chunk.split_to(length);
                    frame.advance(HEAD);
                    return Ok(Some((kind, frame)));
                }
            } else if let Some((kind, length)) = head(&self.partial)?
                && self.partial.len() == length
            {
                let mut frame = self.partial.split().freeze();
                frame.advance(HEAD);
                return Ok(Some((kind, frame)));
            }
            if self.chunk.is_empty() {
                return Ok(None);
            }
            // No more than belongs to this frame, so that the next one may lie in one piece.
            let length = head(&self.partial)?.map_or(HEAD, |(_, length)| length);
            let missing = (length - self.partial.len()).min(self.chunk.len());
            self.partial.reserve(length - self.partial.len());
            self.partial.extend_from_slice(&self.chunk.split_to(missing));
        }
    }
}

/// The kind of the frame that begins there, and its length with its head.
fn head(bytes: &[u8]) -> Result<Option<(u8, usize)>> {
    let Some(&[kind, a, b, c, d]) = bytes.first_chunk::<HEAD>() else { return Ok(None) };
    match u32::from_le_bytes([a, b, c, d]) as usize {
        length if length <= MAX => Ok(Some((kind, HEAD + length))),
        length => Err(Error::internal(format!("a node sent a frame of {length} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::shim::frame::encode;

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let payloads = [&b""[..], b"a", b"hello", &[7; 300], &vec![9; MAX]];
        let kinds = payloads.iter().zip(0_u8..);
        let bytes = kinds.clone().flat_map(|(payload, kind)| encode(kind, payload)).collect::<Vec<_>>();
        let wanted = kinds.map(|(payload, kind)| (kind, Bytes::copy_from_slice(payload))).collect::<Vec<_>>();
        for size in [1, 2, 3, 4, 5, 6, 7, 64, 1000, bytes.len()] {
            let mut frames = Frames::default();
            let mut taken = Vec::new();
            for chunk in bytes.chunks(size) {
                frames.push(Bytes::copy_from_slice(chunk));
                while let Some(frame) = frames.take().unwrap() {
                    taken.push(frame);
                }
            }
            assert!(taken == wanted, "cut at every {size} bytes");
        }
    }

    #[test]
    fn a_frame_in_one_piece_is_not_copied() {
        let chunk = Bytes::from(encode(0, b"hello"));
        let at = chunk.as_ptr().addr() + HEAD;
        let mut frames = Frames::default();
        frames.push(chunk);
        assert_eq!(frames.take().unwrap().unwrap().1.as_ptr().addr(), at);
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused() {
        let mut frames = Frames::default();
        frames.push(Bytes::from_static(&[0, 1, 0, 1, 0]));
        assert!(frames.take().is_err());
    }
}

//! Where WebSocket frames begin and end (RFC 6455 section 5.2). Payloads are not looked at.

/// Follows the frames of one direction, however the bytes are cut.
#[derive(Default)]
pub(crate) struct Frames {
    /// What is there of an incomplete header.
    header: [u8; HEADER_MAX],
    have: usize,
    /// Bytes of the current frame's payload still to come.
    payload: u64,
}

/// Two bytes, eight of extended length, four of masking key.
const HEADER_MAX: usize = 14;

impl Frames {
    /// Whether the next byte begins a frame.
    pub(crate) fn at_boundary(&self) -> bool {
        self.have == 0 && self.payload == 0
    }

    pub(crate) fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skip = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
            bytes = &bytes[skip..];
            self.payload -= skip as u64;
            if self.payload > 0 {
                return;
            }
            while let [byte, rest @ ..] = bytes {
                self.header[self.have] = *byte;
                self.have += 1;
                bytes = rest;
                if let Some(payload) = payload_length(&self.header[..self.have]) {
                    (self.have, self.payload) = (0, payload);
                    break;
                }
            }
        }
    }
}

/// The payload's length, once the header is complete. A header is complete at the latest with [`HEADER_MAX`] bytes.
fn payload_length(header: &[u8]) -> Option<u64> {
    let &[_, second, ref rest @ ..] = header else { return None };
    let (extended, mask) = (&rest, if second & 0x80 == 0 { 0 } else { 4 });
    let (bytes, length) = match second & 0x7f {
        126 => (2, u64::from(u16::from_be_bytes(extended.get(..2)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(extended.get(..8)?.try_into().ok()?)),
        short => (0, u64::from(short)),
    };
    (rest.len() == bytes + mask).then_some(length)
}

/// A Close frame from a server: not masked.
pub(crate) fn close_to_client(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [CLOSE, 2, high, low]
}

/// A Close frame from a client: masked (section 5.3).
pub(crate) fn close_to_server(code: u16, key: [u8; 4]) -> [u8; 8] {
    let [high, low] = code.to_be_bytes();
    [CLOSE, 0x82, key[0], key[1], key[2], key[3], high ^ key[0], low ^ key[1]]
}

/// FIN and opcode 8.
const CLOSE: u8 = 0x88;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).unwrap()),
            126..65536 => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(std::iter::repeat_n(0xff, if masked { 4 } else { 0 }));
        frame.extend(std::iter::repeat_n(0x81, length));
        frame
    }

    #[test]
    fn boundaries_wherever_the_bytes_are_cut() {
        for length in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
            for masked in [false, true] {
                let bytes = frame(length, masked);
                for step in [1, 2, 3, 7, 4096, bytes.len()] {
                    let mut frames = Frames::default();
                    let mut done = 0;
                    for part in [&bytes[..], &bytes[..]].concat().chunks(step) {
                        frames.advance(part);
                        done += part.len();
                        assert_eq!(frames.at_boundary(), done % bytes.len() == 0, "{length} {masked} {step} {done}");
                    }
                }
            }
        }
    }

    #[test]
    fn close_frames_are_whole() {
        let mut frames = Frames::default();
        frames.advance(&close_to_client(1012));
        assert!(frames.at_boundary());
        frames.advance(&close_to_server(1001, [1, 2, 3, 4]));
        assert!(frames.at_boundary());
    }
}

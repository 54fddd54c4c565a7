//! Server-sent events (the WHATWG's HTML standard, section 9.2) as frames of bytes: what comes out is what went in.

use std::borrow::Cow;

/// A frame that gets longer is passed on in pieces of this many bytes.
pub const FRAME_MAX: usize = 1 << 20;

/// How the line before the present one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Cr,
    /// A line feed, with or without a carriage return before it.
    Lf,
}

/// Splits a stream, cut anywhere, into frames: each up to and including the blank line that ends it. All frames in a row,
/// and what [`Frames::finish`] gives, are the stream.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Where in `buffer` the present frame begins: what lies before has been given out.
    start: usize,
    /// Up to where `buffer` has been looked at.
    scanned: usize,
    line_is_empty: bool,
    last_end: LineEnd,
    after_cr: bool,
    /// A carriage return has ended a blank line, and the line feed that lines of this frame end with may follow.
    held: bool,
}

// === impl Frames ===

impl Frames {
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            line_is_empty: true,
            last_end: LineEnd::Lf,
            after_cr: false,
            held: false,
        }
    }

    /// Takes the next bytes of the stream. [`Frames::pop`] gives what they complete.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame that is whole, or a piece of one that is too long to wait for its end.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        while let Some(&byte) = self.buffer.get(self.scanned) {
            // Another byte than the line feed begins the next frame.
            if self.held && byte != b'\n' {
                return Some(self.take());
            }
            self.scanned += 1;
            if self.ends_frame(byte) || self.scanned - self.start == FRAME_MAX {
                return Some(self.take());
            }
        }
        None
    }

    /// What has come since the last whole frame, at the end of the stream.
    pub fn finish(mut self) -> Vec<u8> {
        self.buffer.split_off(self.start)
    }

    fn ends_frame(&mut self, byte: u8) -> bool {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => {
                self.last_end = LineEnd::Lf;
                self.held
            }
            b'\n' => {
                self.last_end = LineEnd::Lf;
                std::mem::replace(&mut self.line_is_empty, true)
            }
            b'\r' => {
                let is_blank = std::mem::replace(&mut self.line_is_empty, true);
                // Where lines end with both, a frame is not complete without its line feed. Where they do not, nothing
                // is waited for that may not come.
                let is_alone = std::mem::replace(&mut self.last_end, LineEnd::Cr) == LineEnd::Cr;
                self.held = is_blank && !is_alone;
                is_blank && is_alone
            }
            _ => {
                self.line_is_empty = false;
                false
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let frame = self.buffer[self.start..self.scanned].to_vec();
        self.start = self.scanned;
        self.held = false;
        frame
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

/// What a frame carries: its `data` fields, with a line feed between two. Absent when it has none, as a comment.
pub fn data(frame: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut lines = frame.split(|&byte| byte == b'\n' || byte == b'\r').filter_map(value);
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
    let mut joined = [first, b"\n", second].concat();
    for line in lines {
        joined.push(b'\n');
        joined.extend_from_slice(line);
    }
    Some(Cow::Owned(joined))
}

/// Of a line that is a `data` field.
fn value(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut frames = Frames::new();
        let mut whole = Vec::new();
        for chunk in chunks {
            frames.push(chunk);
            whole.extend(std::iter::from_fn(|| frames.pop()));
        }
        (whole, frames.finish())
    }

    /// Streams, where `|` is the end of a frame.
    const STREAMS: [&str; 9] = [
        "data: a\n\n|data: b\n\n|",
        "data: a\r\n\r\n|data: b\r\n\r\n|",
        "data: a\r\r|data: b\r\r|",
        "event: x\ndata: a\n\n|rest",
        "event: x\r\ndata: a\r\n\r\n|rest\r\n",
        ": comment\n\n|\n|data: a\n\r\n|b\n\r|c",
        "data: a\r\r|\ndata: b\n\n|",
        "\r\n|\r|\r|data: \u{e4}\n\n|",
        "",
    ];

    #[test]
    fn a_frame_ends_with_a_blank_line_of_any_kind_wherever_the_stream_is_cut() {
        for marked in STREAMS {
            let mut expected = marked.split('|').map(|frame| frame.as_bytes().to_vec()).collect::<Vec<_>>();
            let rest = expected.pop().unwrap();
            let stream = marked.replace('|', "").into_bytes();
            for cut in 0..=stream.len() {
                let (head, tail) = stream.split_at(cut);
                assert_eq!(split(&[head, tail]), (expected.clone(), rest.clone()), "{marked:?} at {cut}");
            }
            let bytes = stream.chunks(1).collect::<Vec<_>>();
            assert_eq!(split(&bytes), (expected, rest), "{marked:?} byte by byte");
        }
    }

    #[test]
    fn a_frame_is_whole_with_its_last_byte() {
        for frame in ["data: a\n\n", "data: a\r\n\r\n", "data: a\r\r"] {
            assert_eq!(split(&[frame.as_bytes()]), (vec![frame.as_bytes().to_vec()], Vec::new()));
        }
    }

    #[test]
    fn a_frame_without_an_end_is_passed_on() {
        let long = vec![b'x'; 2 * FRAME_MAX + 5];
        let (pieces, rest) = split(&[&long[..7], &long[7..]]);
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [FRAME_MAX, FRAME_MAX]);
        assert_eq!(rest.len(), 5);
    }

    #[test]
    fn the_payload_is_what_the_data_fields_say() {
        let cases = [
            ("data: {\"a\":1}\n\n", Some("{\"a\":1}")),
            ("data:{}\r\n\r\n", Some("{}")),
            ("event: x\nid: 1\ndata: a\ndata:  b\ndata\ndata:c\n\n", Some("a\n b\n\nc")),
            ("data: [DONE]\r\r", Some("[DONE]")),
            (": nothing\n\n", None),
            ("database: x\n\n", None),
            ("", None),
        ];
        for (frame, expected) in cases {
            assert_eq!(data(frame.as_bytes()).as_deref(), expected.map(str::as_bytes), "{frame:?}");
        }
    }
}

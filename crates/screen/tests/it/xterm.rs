//! The terminal of the browser, in Node: two of them, of which one is given a snapshot (`tests/xterm/compare.mjs`).

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use screen::Screen;

pub(crate) struct Comparison {
    node: Child,
    input: Option<ChildStdin>,
    pub(crate) screen: Screen,
    /// So that what xterm.js is given ends with a whole character: it misreads some that are cut.
    held: Vec<u8>,
}

impl Comparison {
    pub(crate) fn new(rows: u16, columns: u16) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xterm");
        assert!(
            directory.join("node_modules").exists(),
            "run `npm ci` in crates/screen/tests/xterm; `cargo xtask test` does"
        );
        let mut command = Command::new("node");
        command.arg("compare.mjs").current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = command.spawn().unwrap();
        let input = node.stdin.take();
        let mut comparison = Self { node, input, screen: Screen::new(rows, columns), held: Vec::new() };
        comparison.start(rows, columns);
        comparison
    }

    /// Fresh terminals, as for a new stream.
    pub(crate) fn start(&mut self, rows: u16, columns: u16) {
        self.screen = Screen::new(rows, columns);
        self.held.clear();
        let size = [rows.to_be_bytes(), columns.to_be_bytes()].concat();
        self.record(b'R', &size);
    }

    fn record(&mut self, letter: u8, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let record = [&[letter][..], &length, bytes].concat();
        let written = self.input.as_mut().unwrap().write_all(&record);
        if written.is_err() {
            let mut said = String::new();
            self.node.stdout.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{said}");
        }
    }

    /// To the screen and to both terminals.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.screen.feed(bytes);
        self.held.extend_from_slice(bytes);
        let whole = self.held.iter().rposition(|byte| *byte < 0x80).map_or(0, |last| last + 1);
        let ready = self.held.drain(..whole).collect::<Vec<_>>();
        self.record(b'L', &ready);
    }

    /// Gives the second terminal the screen's snapshot. Only where what was fed ends with ASCII.
    pub(crate) fn snapshot(&mut self) {
        assert!(self.held.is_empty());
        let snapshot = self.screen.snapshot();
        self.record(b'S', &snapshot);
    }

    /// All of them, as when a window is resized.
    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        assert!(self.held.is_empty());
        self.screen.resize(rows, columns);
        let size = [rows.to_be_bytes(), columns.to_be_bytes()].concat();
        self.record(b'Z', &size);
    }

    pub(crate) fn compare(&mut self) {
        self.record(b'C', b"");
    }

    /// In pieces of about so many bytes, of which each ends with a comparison and a snapshot.
    pub(crate) fn feed_and_compare(&mut self, stream: &[u8], piece: usize) {
        let mut rest = stream;
        while !rest.is_empty() {
            let cut = rest.iter().skip(piece).position(|byte| *byte < 0x80).map_or(rest.len(), |more| piece + more + 1);
            let (now, later) = rest.split_at(cut.min(rest.len()));
            self.feed(now);
            if now.last().is_some_and(|byte| *byte < 0x80) {
                self.compare();
                self.snapshot();
            }
            rest = later;
        }
    }

    /// Panics where the two differed, or says how often they were compared.
    pub(crate) fn finish(mut self) -> String {
        drop(self.input.take());
        let mut said = String::new();
        self.node.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.node.wait().unwrap().success(), "{said}");
        said
    }
}

/// A stream in pieces of about so many bytes: at the end of each a snapshot, which is then compared after the next piece, too.
pub(crate) fn compare_stream(rows: u16, columns: u16, stream: &[u8], piece: usize) {
    let mut comparison = Comparison::new(rows, columns);
    comparison.feed_and_compare(stream, piece);
    comparison.finish();
}

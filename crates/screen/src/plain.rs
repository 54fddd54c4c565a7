//! The text of output, for searching.

use crate::decoder::Decoder;
use crate::parser::{Event, Parser};

/// A line longer than this is broken.
const LINE_MAX: usize = 16 * 1024;

/// Takes the text out of a terminal's output, without its sequences and in any pieces. A carriage return writes over
/// the line, as a progress bar does, and a backspace goes back.
#[derive(Default, Debug)]
pub struct Plain {
    parser: Parser,
    decoder: Decoder,
    line: Vec<char>,
    place: usize,
}

impl Plain {
    /// The lines that these bytes complete, each with its `\n`.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut text = String::new();
        for byte in bytes {
            let Some(c) = self.decoder.push(*byte) else { continue };
            match self.parser.advance(c) {
                Event::Print => self.print(c, &mut text),
                Event::Execute => self.execute(c, &mut text),
                _ => {}
            }
        }
        text
    }

    /// The line that is not complete.
    pub fn rest(&self) -> String {
        self.line.iter().collect()
    }

    fn print(&mut self, c: char, text: &mut String) {
        if self.place >= LINE_MAX {
            self.break_line(text);
        }
        if let Some(place) = self.line.get_mut(self.place) {
            *place = c;
        } else {
            self.line.push(c);
        }
        self.place += 1;
    }

    fn execute(&mut self, c: char, text: &mut String) {
        match c {
            '\r' => self.place = 0,
            '\x08' => self.place = self.place.saturating_sub(1),
            '\t' => self.print('\t', text),
            '\n' | '\u{85}' => self.break_line(text),
            _ => {}
        }
    }

    fn break_line(&mut self, text: &mut String) {
        text.extend(self.line.drain(..));
        text.push('\n');
        self.place = 0;
    }
}

//! The state of a terminal and what it prints.

use std::collections::BTreeMap;

use crate::buffer::Buffer;
use crate::cell::{Cell, Pen};
use crate::charset::Charset;
use crate::decoder::Decoder;
use crate::modes::Modes;
use crate::parser::{Event, Parser};
use crate::width::width;

#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) main: Buffer,
    pub(crate) alternate: Buffer,
    pub(crate) on_alternate: bool,
    pub(crate) pen: Pen,
    pub(crate) modes: Modes,
    /// G0 to G3, which of them is in use, and the set that maps what is printed: after DECRC it may be another one.
    pub(crate) charsets: [Charset; 4],
    pub(crate) level: usize,
    pub(crate) charset: Charset,
    pub(crate) title: String,
    /// Colours that were set, as they were said: 0 to 255, then of text, background and cursor.
    pub(crate) palette: BTreeMap<u16, Box<str>>,
    pub(crate) decoder: Decoder,
    pub(crate) parser: Parser,
    /// How wide the character is that was just printed, and to which an accent would join. 0: none.
    pub(crate) join: u8,
    /// It was wide, had no room and is nowhere.
    pub(crate) dropped: bool,
}

impl Terminal {
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self {
            main: Buffer::new(rows, columns),
            alternate: Buffer::new(rows, columns),
            on_alternate: false,
            pen: Pen::default(),
            modes: Modes::default(),
            charsets: [Charset::ASCII; 4],
            level: 0,
            charset: Charset::ASCII,
            title: String::new(),
            palette: BTreeMap::new(),
            decoder: Decoder::default(),
            parser: Parser::default(),
            join: 0,
            dropped: false,
        }
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        if self.on_alternate { &self.alternate } else { &self.main }
    }

    pub(crate) fn buffer_mut(&mut self) -> &mut Buffer {
        if self.on_alternate { &mut self.alternate } else { &mut self.main }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            if self.parser.is_ground() && self.decoder.is_empty() && matches!(byte, b' '..=b'~') {
                let len = rest.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(rest.len());
                self.print_ascii(&rest[..len]);
                rest = &rest[len..];
                continue;
            }
            rest = tail;
            if byte < 0x80 && self.decoder.is_empty() {
                self.take(char::from(byte));
            } else if let Some(c) = self.decoder.push(byte) {
                self.take(c);
            }
        }
    }

    fn take(&mut self, c: char) {
        match self.parser.advance(c) {
            Event::None => return,
            Event::Print => return self.print(c),
            Event::Execute => self.execute(c),
            Event::Escape => self.escape(c as u8),
            Event::Csi => self.csi(c as u8),
            Event::Osc => self.osc(),
            Event::Ended => {}
        }
        self.join = 0;
        self.dropped = false;
    }

    /// Runs of plain text, which most output is, row by row.
    fn print_ascii(&mut self, text: &[u8]) {
        let mut text = text;
        while let Some(&first) = text.first() {
            let buffer = self.buffer();
            let room = buffer.columns.saturating_sub(buffer.x);
            let behind_wide = self.join != 1 && buffer.x > 0 && buffer.rows[buffer.y].get(buffer.x - 1).width() != 1;
            if self.modes.insert || self.charset != Charset::ASCII || room < 2 || behind_wide {
                self.print(char::from(first));
                text = &text[1..];
                continue;
            }
            // The last column has rules of its own.
            let (run, rest) = text.split_at(text.len().min(room - 1));
            let pen = std::mem::take(&mut self.pen);
            let buffer = self.buffer_mut();
            let x = buffer.x;
            buffer.row().set_ascii(x, run, &pen);
            buffer.x += run.len();
            void_rest(buffer, &pen);
            self.pen = pen;
            (self.join, self.dropped) = (1, false);
            text = rest;
        }
    }

    pub(crate) fn print(&mut self, c: char) {
        let c = if c < '\x7f' { self.charset.map(c) } else { c };
        let pen = std::mem::take(&mut self.pen);
        let (insert, wraps) = (self.modes.insert, self.modes.wraparound);
        let before = self.join;
        let joins = width(c) == 0 && before != 0;
        let (columns, old) = (if joins { before } else { width(c) }, if joins { usize::from(before) } else { 0 });
        self.join = columns;
        let buffer = self.buffer_mut();
        if before == 0
            && buffer.x > 0
            && buffer.x <= buffer.columns
            && buffer.rows[buffer.y].get(buffer.x - 1).width() == 2
        {
            let x = buffer.x - 1;
            buffer.row().void(x, &pen);
        }
        let fits = fit(buffer, usize::from(columns), old, wraps, &pen);
        if fits {
            put(buffer, c, columns, old, insert, &pen);
            void_rest(buffer, &pen);
        }
        self.dropped = !fits;
        self.pen = pen;
    }
}

/// Goes to the next row if the character has no room in this one. False where it has none at all.
fn fit(buffer: &mut Buffer, columns: usize, old: usize, wraps: bool, pen: &Pen) -> bool {
    if buffer.x + columns - old <= buffer.columns {
        return true;
    }
    if !wraps {
        buffer.x = buffer.columns - 1;
        return columns < 2;
    }
    let (row, from) = (buffer.y, buffer.x - old);
    let scrolls = buffer.y == buffer.bottom && buffer.top != buffer.bottom;
    buffer.feed_line(true, &pen.eraser());
    buffer.row().wrapped = true;
    buffer.x = old;
    let old_row = if scrolls { buffer.y - 1 } else { row };
    let width = buffer.columns;
    if old > 0 && old_row != buffer.y {
        let (above, below) = buffer.rows.split_at_mut(buffer.y);
        for column in 0..old {
            below[0].copy(&above[old_row], from + column, column);
        }
    }
    for column in from..width {
        buffer.rows[old_row].void(column, pen);
    }
    true
}

fn put(buffer: &mut Buffer, c: char, columns: u8, old: usize, insert: bool, pen: &Pen) {
    let width = buffer.columns;
    if old > 0 && buffer.x > 0 {
        let x = buffer.x;
        let row = buffer.row();
        let back = if row.get(x - 1).width() > 0 { 1 } else { 2 };
        if x >= back {
            row.join(x - back, c);
        }
        return;
    }
    let x = buffer.x;
    let row = buffer.row();
    if insert && columns > 0 {
        row.insert(x, usize::from(columns), width, &pen.clone());
        if row.get(width - 1).width() == 2 {
            row.void(width - 1, pen);
        }
    }
    if x < width {
        row.set(x, Cell::new(c, columns, pen), pen);
    }
    if columns == 2 && x + 1 < width {
        row.set(x + 1, Cell::rest(pen), pen);
    }
    buffer.x += usize::from(columns).max(1);
}

/// Makes blank what is left of a wide character whose first half was written over.
fn void_rest(buffer: &mut Buffer, pen: &Pen) {
    let x = buffer.x;
    if x < buffer.columns {
        let cell = buffer.row().get(x);
        if cell.width() == 0 && !cell.has_content() {
            buffer.row().void(x, pen);
        }
    }
}

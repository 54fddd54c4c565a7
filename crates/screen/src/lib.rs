//! What a terminal shows, from the bytes that were written to it, as xterm.js shows it: whoever looks at a [`Screen`]'s
//! [`snapshot`](Screen::snapshot) in a browser and then reads on sees what those see who were there from the start.
//!
//! Behaviour, widths of characters and character sets follow xterm.js 6 (MIT) with `@xterm/addon-unicode11` active, sequence by
//! sequence, and `tests/` compares cell for cell with the original. There is no scrollback: that is the output itself, which others keep.
//!
//! Not kept: pictures (sixel and the like), the stack of titles and the icon's name, more than 64 bytes of accents on one
//! character and titles or links of more than 64 KiB. A snapshot has spaces where a cell is empty but for attributes such as inverse,
//! and none of the halves of wide characters that insertions, or the margin without autowrap, leave behind. What it forgets: that DECRC
//! brought back another character set before the screen was switched, and what underline and link xterm.js remembers while DECRC has switched
//! them off. In origin mode it has a cursor of the alternate screen within the margins.

mod buffer;
mod cell;
mod charset;
mod controls;
mod decoder;
mod edit;
mod modes;
mod osc;
mod paint;
mod parser;
mod plain;
mod resize;
mod row;
mod sgr;
mod snapshot;
mod terminal;
mod width;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use plain::Plain;

use crate::terminal::Terminal;

/// The largest screen, in rows and in columns. Whoever asks for more has this.
const SIDE_MAX: u16 = 2000;

/// One terminal's screen.
#[derive(Debug)]
pub struct Screen {
    // Boxed, so that whoever has many pays for those in use.
    terminal: Box<Terminal>,
}

impl Screen {
    /// A fresh one of that size, of at least one row and one column.
    pub fn new(rows: u16, columns: u16) -> Self {
        let (rows, columns) = within(rows, columns);
        Self { terminal: Box::new(Terminal::new(rows, columns)) }
    }

    /// Rows and columns.
    pub fn size(&self) -> (u16, u16) {
        let buffer = &self.terminal.main;
        (buffer.height() as u16, buffer.columns as u16)
    }

    /// What was written next, cut anywhere.
    ///
    /// A mistake of this crate costs the screen, which is fresh then, and nothing else: it is logged.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.guard(|terminal| terminal.feed(bytes));
    }

    /// As when the window is resized. The text of the main screen is broken into lines anew, which the application does not do.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let (height, width) = within(rows, columns);
        self.guard(|terminal| terminal.resize(height, width));
        if self.size() != (height as u16, width as u16) {
            *self = Self::new(rows, columns);
        }
    }

    /// Bytes that draw this screen on a fresh terminal of the same size, and leave it in the same state: screens, cursor, pen, margins,
    /// tab stops, character sets, modes, title, colours, and the sequence that was not yet complete. What is written next can
    /// follow directly. Nothing in it asks the terminal to answer.
    pub fn snapshot(&self) -> Vec<u8> {
        let snapshot = catch_unwind(AssertUnwindSafe(|| snapshot::write(&self.terminal)));
        snapshot.inspect_err(|_| tracing::error!("a screen could not be drawn")).unwrap_or_default()
    }

    /// What it takes, in bytes, about.
    pub fn memory(&self) -> usize {
        let terminal = &*self.terminal;
        size_of::<Self>() + size_of::<Terminal>() + terminal.main.heap() + terminal.alternate.heap()
    }

    fn guard(&mut self, change: impl FnOnce(&mut Terminal)) {
        let terminal = &mut *self.terminal;
        if catch_unwind(AssertUnwindSafe(|| change(terminal))).is_err() {
            tracing::error!("a screen was lost to what was written to it; it starts anew");
            let (rows, columns) = self.size();
            *self = Self::new(rows, columns);
        }
    }
}

fn within(rows: u16, columns: u16) -> (usize, usize) {
    (usize::from(rows.clamp(1, SIDE_MAX)), usize::from(columns.clamp(1, SIDE_MAX)))
}

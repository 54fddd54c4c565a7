//! What controls and sequences do, each as in xterm.js.

use crate::buffer::{Buffer, Saved};
use crate::cell::{PROTECTED, Pen};
use crate::charset::Charset;
use crate::terminal::Terminal;

impl Terminal {
    pub(crate) fn execute(&mut self, c: char) {
        match c {
            '\x08' => self.backspace(),
            '\t' => self.tab(1, Buffer::next_tab),
            '\n' | '\x0b' | '\x0c' => self.line_feed(),
            '\r' => self.buffer_mut().x = 0,
            '\x0e' => self.set_level(1),
            '\x0f' => self.set_level(0),
            '\u{84}' => self.index(),
            '\u{85}' => self.next_line(),
            '\u{88}' => self.set_tab(),
            _ => {}
        }
    }

    pub(crate) fn escape(&mut self, last: u8) {
        match (self.parser.collected(), last) {
            ([], b'7') => self.save_cursor(),
            ([], b'8') => self.restore_cursor(),
            ([], b'D') => self.index(),
            ([], b'E') => self.next_line(),
            ([], b'H') => self.set_tab(),
            ([], b'M') => self.reverse_index(),
            ([], b'=') => self.modes.application_keypad = true,
            ([], b'>') => self.modes.application_keypad = false,
            ([], b'c') => self.reset(),
            ([], b'n' | b'}') => self.set_level(2),
            ([], b'o' | b'|') => self.set_level(3),
            ([], b'~') => self.set_level(1),
            ([b'%'], b'@' | b'G') => {
                self.set_level(0);
                self.set_charset(0, Charset::ASCII);
            }
            ([b'#'], b'8') => self.align(),
            ([place], _) => {
                let place = b"()*+-.".iter().position(|other| other == place);
                if let (Some(place), Some(charset)) = (place, Charset::named(last)) {
                    self.set_charset([0, 1, 2, 3, 1, 2][place], charset);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn csi(&mut self, last: u8) {
        let params = self.parser.params();
        let (first, count, length) = (params.first(), params.count(0), params.values().len());
        let second = params.count(1);
        match (self.parser.collected(), last) {
            ([], b'A' | b'F') => self.up(count, last == b'F'),
            ([], b'B' | b'E') => self.down(count, last == b'E'),
            ([], b'C' | b'a') => self.move_by(count as i64, 0),
            ([], b'D') => self.move_by(-(count as i64), 0),
            ([], b'e') => self.move_by(0, count as i64),
            ([], b'G' | b'`') => {
                let y = self.buffer().y;
                self.go_to(count as i64 - 1, y as i64);
            }
            ([], b'H' | b'f') => self.go_to(second as i64 - 1, count as i64 - 1),
            ([], b'd') => {
                let x = self.buffer().x;
                self.go_to(x as i64, count as i64 - 1);
            }
            ([], b'I') => self.tab(count, Buffer::next_tab),
            ([], b'Z') => self.tab(count, Buffer::previous_tab),
            ([] | [b'?'], b'J') => self.erase_display(first, self.parser.collected() == b"?"),
            ([] | [b'?'], b'K') => self.erase_line(first, self.parser.collected() == b"?"),
            ([], b'X') => {
                self.restrict();
                let (pen, buffer) = self.eraser();
                let (x, columns) = (buffer.x, buffer.columns);
                buffer.row().erase(x, x.saturating_add(count), columns, &pen, false);
            }
            ([], b'@') => self.edit_row(|row, x, columns, pen| row.insert(x, count, columns, pen)),
            ([], b'P') => self.edit_row(|row, x, columns, pen| row.delete(x, count, columns, pen)),
            ([], b'L') => self.edit_rows(count, false),
            ([], b'M') => self.edit_rows(count, true),
            ([], b'S') => {
                let (pen, buffer) = self.eraser();
                buffer.scroll(buffer.top, buffer.bottom, count, true, &pen);
            }
            ([], b'T') => {
                let buffer = self.buffer_mut();
                buffer.scroll(buffer.top, buffer.bottom, count, false, &Pen::default());
            }
            ([b' '], b'@') => self.edit_columns(0, count, true),
            ([b' '], b'A') => self.edit_columns(0, count, false),
            ([b'\''], b'}') => self.edit_columns(self.buffer().x, count, false),
            ([b'\''], b'~') => self.edit_columns(self.buffer().x, count, true),
            ([], b'b') => self.repeat(count),
            ([], b'g') => self.clear_tabs(first),
            ([], b'h' | b'l') => self.set_ansi_modes(last == b'h'),
            ([b'?'], b'h' | b'l') => self.set_private_modes(last == b'h'),
            ([], b'm') => self.set_attributes(),
            ([b'!'], b'p') => self.soft_reset(),
            ([b' '], b'q') if first <= 6 => self.modes.cursor_style = first as u8,
            ([b'"'], b'q') => self.protect(first),
            ([], b'r') => self.set_margins(count, if length < 2 { 0 } else { self.parser.params().nth(1) }),
            ([], b's') => self.save_cursor(),
            ([], b'u') => self.restore_cursor(),
            _ => {}
        }
    }

    pub(crate) fn eraser(&mut self) -> (Pen, &mut Buffer) {
        (self.pen.eraser(), self.buffer_mut())
    }

    /// Into the screen, or into the margins where they are the origin.
    pub(crate) fn restrict_to(&mut self, last_column: usize) {
        let origin = self.modes.origin;
        let buffer = self.buffer_mut();
        buffer.x = buffer.x.min(last_column);
        buffer.y = if origin { buffer.y.clamp(buffer.top, buffer.bottom) } else { buffer.y.min(buffer.height() - 1) };
    }

    pub(crate) fn restrict(&mut self) {
        self.restrict_to(self.buffer().columns - 1);
    }

    pub(crate) fn go_to(&mut self, x: i64, y: i64) {
        let top = if self.modes.origin { self.buffer().top } else { 0 };
        let buffer = self.buffer_mut();
        buffer.x = usize::try_from(x).unwrap_or(0);
        buffer.y = usize::try_from(y + top as i64).unwrap_or(0);
        self.restrict();
    }

    fn move_by(&mut self, columns: i64, rows: i64) {
        self.restrict();
        let buffer = self.buffer();
        self.go_to(buffer.x as i64 + columns, buffer.y as i64 + rows);
    }

    fn up(&mut self, count: usize, to_start: bool) {
        let buffer = self.buffer();
        let count = buffer.y.checked_sub(buffer.top).map_or(count, |room| room.min(count));
        self.move_by(0, -(count as i64));
        self.start_row(to_start);
    }

    fn down(&mut self, count: usize, to_start: bool) {
        let buffer = self.buffer();
        let count = buffer.bottom.checked_sub(buffer.y).map_or(count, |room| room.min(count));
        self.move_by(0, count as i64);
        self.start_row(to_start);
    }

    fn start_row(&mut self, really: bool) {
        if really {
            self.buffer_mut().x = 0;
        }
    }

    fn backspace(&mut self) {
        if !self.modes.reverse_wraparound {
            self.restrict();
            let buffer = self.buffer_mut();
            buffer.x = buffer.x.saturating_sub(1);
            return;
        }
        self.restrict_to(self.buffer().columns);
        let buffer = self.buffer_mut();
        if buffer.x > 0 {
            buffer.x -= 1;
        } else if buffer.y > buffer.top && buffer.y <= buffer.bottom && buffer.row().wrapped {
            buffer.row().wrapped = false;
            buffer.y -= 1;
            buffer.x = buffer.columns - 1;
            let cell = buffer.rows[buffer.y].get(buffer.x);
            if cell.width() > 0 && !cell.has_content() {
                buffer.x = buffer.x.saturating_sub(1);
            }
        }
        self.restrict();
    }

    fn tab(&mut self, count: usize, next: fn(&Buffer) -> usize) {
        let buffer = self.buffer_mut();
        if buffer.x >= buffer.columns {
            return;
        }
        for _ in 0..count.min(buffer.columns) {
            buffer.x = next(buffer);
        }
    }

    fn line_feed(&mut self) {
        let new_line = self.modes.new_line;
        let (pen, buffer) = self.eraser();
        if new_line {
            buffer.x = 0;
        }
        let before = buffer.y;
        buffer.feed_line(false, &pen);
        if buffer.y != before {
            buffer.row().wrapped = false;
        }
        if buffer.x >= buffer.columns {
            buffer.x -= 1;
        }
    }

    fn index(&mut self) {
        self.restrict();
        let (pen, buffer) = self.eraser();
        buffer.feed_line(false, &pen);
        self.restrict();
    }

    fn next_line(&mut self) {
        self.buffer_mut().x = 0;
        self.index();
    }

    fn reverse_index(&mut self) {
        self.restrict();
        let (pen, buffer) = self.eraser();
        if buffer.y == buffer.top {
            buffer.scroll(buffer.top, buffer.bottom, 1, false, &pen);
        } else {
            buffer.y = buffer.y.saturating_sub(1);
            self.restrict();
        }
    }

    fn set_tab(&mut self) {
        let buffer = self.buffer_mut();
        if let Some(tab) = buffer.tabs.get_mut(buffer.x) {
            *tab = true;
        }
    }

    fn clear_tabs(&mut self, which: usize) {
        let buffer = self.buffer_mut();
        match which {
            0 if buffer.x < buffer.columns => buffer.tabs[buffer.x] = false,
            3 => buffer.tabs.fill(false),
            _ => {}
        }
    }

    fn protect(&mut self, which: usize) {
        match which {
            1 => self.pen.bg |= PROTECTED,
            0 | 2 => self.pen.bg &= !PROTECTED,
            _ => {}
        }
    }

    fn set_margins(&mut self, top: usize, bottom: usize) {
        let buffer = self.buffer_mut();
        let bottom = if bottom == 0 || bottom > buffer.height() { buffer.height() } else { bottom };
        if bottom > top {
            (buffer.top, buffer.bottom) = (top - 1, bottom - 1);
            self.go_to(0, 0);
        }
    }

    pub(crate) fn save_cursor(&mut self) {
        let (fg, bg, charset) = (self.pen.fg, self.pen.bg, self.charset);
        let buffer = self.buffer_mut();
        buffer.saved = Saved { x: buffer.x, y: buffer.y, fg, bg, charset };
    }

    pub(crate) fn restore_cursor(&mut self) {
        let buffer = self.buffer_mut();
        let saved = buffer.saved.clone();
        (buffer.x, buffer.y) = (saved.x, saved.y);
        (self.pen.fg, self.pen.bg, self.charset) = (saved.fg, saved.bg, saved.charset);
        self.restrict();
    }

    fn set_level(&mut self, level: usize) {
        self.level = level;
        self.charset = self.charsets[level];
    }

    fn set_charset(&mut self, place: usize, charset: Charset) {
        self.charsets[place] = charset;
        if self.level == place {
            self.charset = charset;
        }
    }

    pub(crate) fn set_charsets_to_ascii(&mut self) {
        self.charsets = [Charset::ASCII; 4];
        self.charset = Charset::ASCII;
    }

    fn reset_charsets(&mut self) {
        self.set_charsets_to_ascii();
        self.level = 0;
    }

    fn soft_reset(&mut self) {
        self.modes.cursor_hidden = false;
        self.modes.reset(true);
        self.pen = Pen::default();
        self.reset_charsets();
        let buffer = self.buffer_mut();
        (buffer.top, buffer.bottom) = (0, buffer.height() - 1);
        buffer.saved = Saved::default();
    }

    /// All but what xterm.js keeps, too: the title, and what is an option there.
    fn reset(&mut self) {
        let (rows, columns) = (self.main.height(), self.main.columns);
        let mut modes = self.modes;
        modes.reset(false);
        let (title, palette) = (std::mem::take(&mut self.title), std::mem::take(&mut self.palette));
        *self = Self { modes, title, palette, ..Self::new(rows, columns) };
    }
}

//! What an application switches on and off.

use crate::terminal::Terminal;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Modes {
    pub(crate) application_cursor: bool,
    pub(crate) application_keypad: bool,
    pub(crate) bracketed_paste: bool,
    pub(crate) focus: bool,
    pub(crate) insert: bool,
    pub(crate) new_line: bool,
    pub(crate) origin: bool,
    pub(crate) reverse_wraparound: bool,
    pub(crate) wraparound: bool,
    pub(crate) synchronized: bool,
    /// The private mode of the mouse that is on: 9, 1000, 1002 or 1003.
    pub(crate) mouse: Option<u16>,
    /// How it is told: 1006 or 1016.
    pub(crate) mouse_encoding: Option<u16>,
    /// As DECSCUSR says it; 0 is what the terminal likes.
    pub(crate) cursor_style: u8,
    pub(crate) cursor_blinks: bool,
    pub(crate) cursor_hidden: bool,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            application_cursor: false,
            application_keypad: false,
            bracketed_paste: false,
            focus: false,
            insert: false,
            new_line: false,
            origin: false,
            reverse_wraparound: false,
            wraparound: true,
            synchronized: false,
            mouse: None,
            mouse_encoding: None,
            cursor_style: 0,
            cursor_blinks: false,
            cursor_hidden: false,
        }
    }
}

impl Modes {
    /// As RIS and DECSTR do it in xterm.js: what is an option there stays, and DECSTR leaves the mouse alone.
    pub(crate) fn reset(&mut self, soft: bool) {
        let (mouse, mouse_encoding) = if soft { (self.mouse, self.mouse_encoding) } else { (None, None) };
        let Self { new_line, cursor_blinks, cursor_hidden, .. } = *self;
        *self = Self { new_line, cursor_blinks, cursor_hidden, mouse, mouse_encoding, ..Self::default() };
    }
}

impl Terminal {
    pub(crate) fn set_ansi_modes(&mut self, on: bool) {
        for value in self.parser.params().values() {
            match value {
                4 => self.modes.insert = on,
                20 => self.modes.new_line = on,
                _ => {}
            }
        }
    }

    pub(crate) fn set_private_modes(&mut self, on: bool) {
        for index in 0..self.parser.params().values().len() {
            let mode = self.parser.params().nth(index);
            self.set_private_mode(mode, on);
        }
    }

    fn set_private_mode(&mut self, mode: usize, on: bool) {
        let modes = &mut self.modes;
        match mode {
            1 => modes.application_cursor = on,
            2 if on => self.set_charsets_to_ascii(),
            6 => {
                modes.origin = on;
                self.go_to(0, 0);
            }
            7 => modes.wraparound = on,
            12 => modes.cursor_blinks = on,
            25 => modes.cursor_hidden = !on,
            45 => modes.reverse_wraparound = on,
            66 => modes.application_keypad = on,
            9 | 1000 | 1002 | 1003 => modes.mouse = on.then_some(mode as u16),
            1004 => modes.focus = on,
            1006 | 1016 => modes.mouse_encoding = on.then_some(mode as u16),
            47 | 1047 if on => self.enter_alternate(),
            47 | 1047 => self.leave_alternate(),
            1048 if on => self.save_cursor(),
            1048 => self.restore_cursor(),
            1049 if on => {
                self.save_cursor();
                self.enter_alternate();
            }
            1049 => {
                self.leave_alternate();
                self.restore_cursor();
            }
            2004 => modes.bracketed_paste = on,
            2026 => modes.synchronized = on,
            _ => {}
        }
    }

    fn enter_alternate(&mut self) {
        if self.on_alternate {
            return;
        }
        let (pen, columns) = (self.pen.eraser(), self.main.columns);
        for row in &mut self.alternate.rows {
            row.fill(crate::cell::Cell::blank(&pen), columns);
        }
        (self.alternate.x, self.alternate.y) = (self.main.x, self.main.y);
        self.on_alternate = true;
    }

    fn leave_alternate(&mut self) {
        if !self.on_alternate {
            return;
        }
        (self.main.x, self.main.y) = (self.alternate.x, self.alternate.y);
        self.alternate.clear();
        self.on_alternate = false;
    }
}

//! What sequences erase, insert, delete and fill.

use crate::cell::{Cell, Pen};
use crate::row::Row;
use crate::terminal::Terminal;

impl Terminal {
    pub(crate) fn erase_display(&mut self, which: usize, keep_protected: bool) {
        self.restrict_to(self.buffer().columns);
        let (pen, buffer) = self.eraser();
        let (x, y, columns, height) = (buffer.x, buffer.y, buffer.columns, buffer.height());
        let whole = match which {
            0 => {
                buffer.row().erase(x, columns, columns, &pen, keep_protected);
                if x == 0 {
                    buffer.row().wrapped = false;
                }
                y + 1..height
            }
            1 => {
                buffer.row().erase(0, x + 1, columns, &pen, keep_protected);
                buffer.row().wrapped = false;
                if x + 1 >= columns && y + 1 < height {
                    buffer.rows[y + 1].wrapped = false;
                }
                0..y
            }
            2 => 0..height,
            _ => return,
        };
        for row in &mut buffer.rows[whole] {
            row.wrapped = false;
            if keep_protected {
                row.erase_unprotected(columns, &pen);
            } else {
                row.fill(Cell::blank(&pen), columns);
            }
        }
    }

    pub(crate) fn erase_line(&mut self, which: usize, keep_protected: bool) {
        self.restrict_to(self.buffer().columns);
        let (pen, buffer) = self.eraser();
        let (x, columns) = (buffer.x, buffer.columns);
        let (from, to, unwraps) = match which {
            0 => (x, columns, x == 0),
            1 => (0, x + 1, false),
            2 => (0, columns, true),
            _ => return,
        };
        buffer.row().erase(from, to, columns, &pen, keep_protected);
        if unwraps {
            buffer.row().wrapped = false;
        }
    }

    pub(crate) fn edit_row(&mut self, edit: impl FnOnce(&mut Row, usize, usize, &Pen)) {
        self.restrict();
        let (pen, buffer) = self.eraser();
        let (x, columns) = (buffer.x, buffer.columns);
        edit(buffer.row(), x, columns, &pen);
    }

    /// Inserts rows at the cursor, or deletes them.
    pub(crate) fn edit_rows(&mut self, count: usize, up: bool) {
        self.restrict();
        let (pen, buffer) = self.eraser();
        if (buffer.top..=buffer.bottom).contains(&buffer.y) {
            buffer.scroll(buffer.y, buffer.bottom, count, up, &pen);
            buffer.x = 0;
        }
    }

    pub(crate) fn edit_columns(&mut self, column: usize, count: usize, delete: bool) {
        let (pen, buffer) = self.eraser();
        if !(buffer.top..=buffer.bottom).contains(&buffer.y) {
            return;
        }
        let columns = buffer.columns;
        for row in &mut buffer.rows[buffer.top..=buffer.bottom] {
            if delete {
                row.delete(column, count, columns, &pen);
            } else {
                row.insert(column, count, columns, &pen);
            }
            row.wrapped = false;
        }
    }

    pub(crate) fn repeat(&mut self, count: usize) {
        let Some(x) = self.buffer().x.checked_sub(usize::from(self.join)) else { return };
        if self.join == 0 || self.dropped {
            return;
        }
        let mut text = String::new();
        let buffer = self.buffer();
        buffer.rows[buffer.y].push_text(x, &mut text);
        // More than the whole screen makes no difference but to the time it takes.
        let most = buffer.columns * buffer.height() * 2;
        for c in std::iter::repeat_n(text.chars(), count.min(most)).flatten() {
            self.print(c);
        }
    }

    pub(crate) fn align(&mut self) {
        self.go_to(0, 0);
        let pen = self.pen.clone();
        let buffer = self.buffer_mut();
        let columns = buffer.columns;
        for row in &mut buffer.rows {
            row.fill(Cell::new('E', 1, &pen), columns);
            row.wrapped = false;
        }
        self.go_to(0, 0);
    }
}

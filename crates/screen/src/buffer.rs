//! One of the two screens: its rows, cursor, margins and tab stops.

use crate::cell::{Cell, Pen};
use crate::charset::Charset;
use crate::row::Row;

/// What DECSC keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Saved {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) fg: u32,
    pub(crate) bg: u32,
    pub(crate) charset: Charset,
}

impl Default for Saved {
    fn default() -> Self {
        Self { x: 0, y: 0, fg: 0, bg: 0, charset: Charset::ASCII }
    }
}

#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) rows: Vec<Row>,
    pub(crate) columns: usize,
    /// The number of columns or more when the next character goes to the next row.
    pub(crate) x: usize,
    pub(crate) y: usize,
    /// The margins, both within.
    pub(crate) top: usize,
    pub(crate) bottom: usize,
    pub(crate) saved: Saved,
    /// By column.
    pub(crate) tabs: Vec<bool>,
}

impl Buffer {
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self {
            rows: std::iter::repeat_with(Row::default).take(rows).collect(),
            columns,
            x: 0,
            y: 0,
            top: 0,
            bottom: rows - 1,
            saved: Saved::default(),
            tabs: default_tabs(columns),
        }
    }

    pub(crate) fn height(&self) -> usize {
        self.rows.len()
    }

    /// As new, but for what is saved.
    pub(crate) fn clear(&mut self) {
        let saved = std::mem::take(&mut self.saved);
        *self = Self { saved, ..Self::new(self.height(), self.columns) };
    }

    pub(crate) fn row(&mut self) -> &mut Row {
        &mut self.rows[self.y]
    }

    pub(crate) fn has_default_tabs(&self) -> bool {
        self.tabs == default_tabs(self.columns)
    }

    /// Moves the rows from the first to the last of them up or down; what comes in is blank.
    pub(crate) fn scroll(&mut self, first: usize, last: usize, count: usize, up: bool, pen: &Pen) {
        let region = &mut self.rows[first..=last];
        let count = count.min(region.len());
        let fresh = if up {
            region.rotate_left(count);
            region.len() - count..region.len()
        } else {
            region.rotate_right(count);
            0..count
        };
        for row in &mut region[fresh] {
            row.fill(Cell::blank(pen), self.columns);
            row.wrapped = false;
        }
    }

    /// To the next row, or the rows within the margins up by one.
    pub(crate) fn feed_line(&mut self, wrapped: bool, pen: &Pen) {
        if self.y == self.bottom {
            self.scroll(self.top, self.bottom, 1, true, pen);
            self.row().wrapped = wrapped;
        } else {
            self.y = (self.y + 1).min(self.height() - 1);
        }
    }

    pub(crate) fn next_tab(&self) -> usize {
        let next = (self.x + 1..self.columns).find(|column| self.tabs[*column]);
        next.unwrap_or(self.columns - 1)
    }

    pub(crate) fn previous_tab(&self) -> usize {
        (0..self.x.min(self.columns)).rev().find(|column| self.tabs[*column]).unwrap_or(0)
    }

    /// What it takes on the heap, in bytes, about.
    pub(crate) fn heap(&self) -> usize {
        let rows = self.rows.iter().map(|row| size_of::<Row>() + row.heap()).sum::<usize>();
        rows + self.tabs.capacity()
    }
}

pub(crate) fn default_tabs(columns: usize) -> Vec<bool> {
    (0..columns).map(|column| column % 8 == 0).collect()
}

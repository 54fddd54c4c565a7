//! A row of cells. What lies behind the last cell that was written to is blank and takes no memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cell::{Cell, More, Pen, UNDERLINE};

/// Text of one cell beyond this is dropped: a character may have any number of accents.
const TEXT_MAX: usize = 64;

#[derive(Default, Debug)]
pub(crate) struct Row {
    cells: Vec<Cell>,
    /// The text of the row before goes on here.
    pub(crate) wrapped: bool,
    /// What does not fit a cell, by column. Cells say whether theirs counts.
    extras: BTreeMap<u16, Extra>,
}

#[derive(Clone, Default, Debug)]
struct Extra {
    text: Option<Box<str>>,
    more: Option<Arc<More>>,
}

impl Row {
    /// A blank one.
    pub(crate) fn continuing(wrapped: bool) -> Self {
        Self { wrapped, ..Self::default() }
    }

    pub(crate) fn get(&self, column: usize) -> Cell {
        self.cells.get(column).copied().unwrap_or(Cell::BLANK)
    }

    /// One past the last cell that may not be blank.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// How many columns have content: to one past the last cell that does.
    pub(crate) fn text_len(&self) -> usize {
        let last = self.cells.iter().rposition(|cell| cell.has_content());
        last.map_or(0, |last| last + usize::from(self.cells[last].width()))
    }

    pub(crate) fn more(&self, column: usize) -> Option<&Arc<More>> {
        if !self.get(column).is_extended() {
            return None;
        }
        self.extra(column)?.more.as_ref()
    }

    pub(crate) fn pen(&self, column: usize) -> Pen {
        let cell = self.get(column);
        let pen = Pen { fg: cell.fg, bg: cell.bg, more: self.more(column).cloned() };
        if !cell.is_extended() {
            return pen;
        }
        let mut pen = pen.canonical();
        if pen.fg & UNDERLINE == 0 {
            pen.change(|more| more.underline_color = 0);
        }
        pen
    }

    /// What the cell shows; empty without content.
    pub(crate) fn push_text(&self, column: usize, text: &mut String) {
        let cell = self.get(column);
        if cell.is_combined() {
            text.push_str(self.extra(column).and_then(|extra| extra.text.as_deref()).unwrap_or_default());
        } else {
            text.extend(cell.char());
        }
    }

    fn extra(&self, column: usize) -> Option<&Extra> {
        self.extras.get(&u16::try_from(column).ok()?)
    }

    /// Has cells up to this column, to write to. Room is made for few more than that: there are many rows.
    fn reach(&mut self, to: usize) {
        let len = self.cells.len();
        if len < to {
            if self.cells.capacity() < to {
                self.cells.reserve_exact(to.next_multiple_of(16) - len);
            }
            self.cells.resize(to, Cell::BLANK);
        }
    }

    fn annotate(&mut self, column: usize, change: impl FnOnce(&mut Extra)) {
        if let Ok(column) = u16::try_from(column) {
            change(self.extras.entry(column).or_default());
        }
    }

    /// Whoever writes keeps within the columns.
    pub(crate) fn set(&mut self, column: usize, cell: Cell, pen: &Pen) {
        self.reach(column + 1);
        self.cells[column] = cell;
        if cell.is_extended() {
            self.annotate(column, |extra| extra.more = pen.more.clone());
        }
    }

    /// A run of ASCII.
    pub(crate) fn set_ascii(&mut self, column: usize, text: &[u8], pen: &Pen) {
        self.reach(column + text.len());
        for (cell, byte) in self.cells[column..].iter_mut().zip(text) {
            *cell = Cell::new(char::from(*byte), 1, pen);
        }
        if pen.bg & crate::cell::EXTENDED != 0 {
            for column in column..column + text.len() {
                self.annotate(column, |extra| extra.more = pen.more.clone());
            }
        }
    }

    /// Makes a cell blank that was half of a wide character.
    pub(crate) fn void(&mut self, column: usize, pen: &Pen) {
        self.set(column, Cell::blank(pen), pen);
    }

    /// Joins an accent or the like to what is in the cell.
    pub(crate) fn join(&mut self, column: usize, c: char) {
        self.reach(column + 1);
        let cell = self.cells[column];
        if !cell.has_content() {
            let pen = self.pen(column);
            self.cells[column] = Cell::new(c, 1, &pen);
            return;
        }
        let mut text = String::new();
        self.push_text(column, &mut text);
        if text.len() + c.len_utf8() <= TEXT_MAX {
            text.push(c);
        }
        self.cells[column].combine();
        self.annotate(column, |extra| extra.text = Some(text.into()));
    }

    pub(crate) fn insert(&mut self, column: usize, count: usize, columns: usize, pen: &Pen) {
        let column = column % columns;
        if column > 0 && self.get(column - 1).width() == 2 {
            self.void(column - 1, pen);
        }
        self.reach(columns);
        let count = count.min(columns - column);
        self.cells[column..].rotate_right(count);
        self.move_extras(|at| if at < column { Some(at) } else { Some(at + count).filter(|at| *at < columns) });
        self.cells[column..column + count].fill(Cell::blank(pen));
        if self.get(columns - 1).width() == 2 {
            self.void(columns - 1, pen);
        }
        self.trim();
    }

    pub(crate) fn delete(&mut self, column: usize, count: usize, columns: usize, pen: &Pen) {
        let column = column % columns;
        self.reach(columns);
        let count = count.min(columns - column);
        self.cells[column..].rotate_left(count);
        let kept = |at: usize| if at < column { Some(at) } else { at.checked_sub(count).filter(|at| *at >= column) };
        self.move_extras(kept);
        self.cells[columns - count..].fill(Cell::blank(pen));
        if column > 0 && self.get(column - 1).width() == 2 {
            self.void(column - 1, pen);
        }
        if self.get(column).width() == 0 && !self.get(column).has_content() {
            self.void(column, pen);
        }
        self.trim();
    }

    /// Erases from one column to another, beyond the last one too; with `keep_protected` only what is not.
    pub(crate) fn erase(&mut self, from: usize, to: usize, columns: usize, pen: &Pen, keep_protected: bool) {
        let keeps = |cell: Cell| keep_protected && cell.is_protected();
        if from > 0 && self.get(from - 1).width() == 2 && !keeps(self.get(from - 1)) {
            self.void(from - 1, pen);
        }
        if to > 0 && to < columns && self.get(to - 1).width() == 2 && !keeps(self.get(to)) {
            self.void(to, pen);
        }
        let to = to.min(columns);
        if !pen.is_default() {
            self.reach(to);
        }
        for column in from..to.min(self.cells.len()) {
            if !keeps(self.cells[column]) {
                self.cells[column] = Cell::blank(pen);
            }
        }
        self.trim();
    }

    /// The whole row, but for what is protected.
    pub(crate) fn erase_unprotected(&mut self, columns: usize, pen: &Pen) {
        self.reach(columns);
        for cell in self.cells.iter_mut().filter(|cell| !cell.is_protected()) {
            *cell = Cell::blank(pen);
        }
        self.trim();
    }

    /// All of it anew.
    pub(crate) fn fill(&mut self, cell: Cell, columns: usize) {
        self.extras.clear();
        self.cells.clear();
        if cell != Cell::BLANK {
            self.reach(columns);
            self.cells.fill(cell);
        }
    }

    pub(crate) fn copy(&mut self, from: &Self, source: usize, column: usize) {
        let mut text = String::new();
        from.push_text(source, &mut text);
        self.set(column, from.get(source), &from.pen(source));
        if from.get(source).is_combined() {
            self.annotate(column, |extra| extra.text = Some(text.into()));
        }
    }

    /// Cuts it to so many columns, and a wide character at the cut in two.
    pub(crate) fn truncate(&mut self, columns: usize) {
        self.cells.truncate(columns);
        if columns > 0 && self.get(columns - 1).width() == 2 {
            self.void(columns - 1, &Pen::default());
        }
        self.move_extras(|at| Some(at).filter(|at| *at < columns));
        self.trim();
    }

    fn trim(&mut self) {
        let used = self.cells.iter().rposition(|cell| *cell != Cell::BLANK).map_or(0, |last| last + 1);
        self.cells.truncate(used);
    }

    fn move_extras(&mut self, place: impl Fn(usize) -> Option<usize>) {
        if self.extras.is_empty() {
            return;
        }
        let cells = &self.cells;
        let counts = |at: usize| cells.get(at).is_some_and(|cell| cell.is_combined() || cell.is_extended());
        let moved = std::mem::take(&mut self.extras).into_iter().filter_map(|(at, extra)| {
            let at = place(usize::from(at)).filter(|at| counts(*at))?;
            Some((u16::try_from(at).ok()?, extra))
        });
        self.extras = moved.collect();
    }

    /// Bytes on the heap, about.
    pub(crate) fn heap(&self) -> usize {
        let extras = self.extras.len() * (size_of::<Extra>() + 64);
        self.cells.capacity() * size_of::<Cell>() + extras
    }
}

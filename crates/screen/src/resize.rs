//! Another size. The application draws anew what it has on the alternate screen, and a shell its prompt; other text of the
//! main screen is broken into rows anew, so that none is lost to a window that was narrow for a moment.

use crate::buffer::{Buffer, default_tabs};
use crate::row::Row;
use crate::terminal::Terminal;

impl Terminal {
    pub(crate) fn resize(&mut self, rows: usize, columns: usize) {
        if (rows, columns) == (self.main.height(), self.main.columns) {
            return;
        }
        if columns != self.main.columns {
            reflow(&mut self.main, columns);
        }
        for buffer in [&mut self.main, &mut self.alternate] {
            fit(buffer, rows, columns);
        }
        (self.join, self.dropped) = (0, false);
    }
}

/// Breaks anew what was broken by the margin, but for the line that the cursor is in.
fn reflow(buffer: &mut Buffer, columns: usize) {
    let mut rows = std::mem::take(&mut buffer.rows).into_iter().enumerate().peekable();
    let (mut flowed, mut y) = (Vec::new(), 0);
    while let Some((first, row)) = rows.next() {
        let mut line = vec![row];
        while let Some((_, row)) = rows.next_if(|(_, row)| row.wrapped) {
            line.push(row);
        }
        let has_cursor = (first..first + line.len()).contains(&buffer.y);
        if has_cursor {
            y = flowed.len() + buffer.y - first;
            flowed.append(&mut line);
        } else {
            flowed.append(&mut break_line(&line, buffer.columns, columns));
        }
    }
    (buffer.rows, buffer.y) = (flowed, y);
}

fn break_line(line: &[Row], from: usize, to: usize) -> Vec<Row> {
    let mut broken = vec![Row::continuing(line[0].wrapped)];
    let mut x = 0;
    for (index, row) in line.iter().enumerate() {
        let is_last = index + 1 == line.len();
        let length = if is_last { row.len() } else { from.min(row.len().max(row.text_len())) };
        let mut column = 0;
        while column < length {
            let width = usize::from(row.get(column).width()).max(1);
            if x + width > to && x > 0 {
                broken.push(Row::continuing(true));
                x = 0;
            }
            for part in 0..width.min(to) {
                if let Some(into) = broken.last_mut() {
                    into.copy(row, column + part, x + part);
                }
            }
            x += width;
            column += width;
        }
        if is_last && length == 0 && broken.is_empty() {
            broken.push(Row::default());
        }
    }
    broken
}

fn fit(buffer: &mut Buffer, rows: usize, columns: usize) {
    // Rows below the cursor go first, whatever is in them, then those at the top: as in the browser, where who was there
    // all the time shall see the same as who comes later.
    buffer.rows.truncate(rows.max(buffer.y + 1));
    let surplus = buffer.rows.len().saturating_sub(rows).min(buffer.y);
    buffer.rows.drain(..surplus);
    buffer.y -= surplus;
    buffer.saved.y = buffer.saved.y.saturating_sub(surplus);
    buffer.rows.truncate(rows);
    buffer.rows.resize_with(rows, Row::default);
    for row in &mut buffer.rows {
        row.truncate(columns);
    }
    let mut tabs = std::mem::take(&mut buffer.tabs);
    tabs.truncate(columns);
    tabs.extend(default_tabs(columns).into_iter().skip(tabs.len()));
    buffer.tabs = tabs;
    buffer.columns = columns;
    (buffer.top, buffer.bottom) = (0, rows - 1);
    (buffer.x, buffer.y) = (buffer.x.min(columns - 1), buffer.y.min(rows - 1));
    buffer.saved.x = buffer.saved.x.min(columns - 1);
}

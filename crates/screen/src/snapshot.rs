//! The screen as bytes that draw it on a fresh terminal.
//!
//! What is drawn first is what the cursor's place must not depend on; then the modes; the cursor, what is printed
//! next and the sequence that was cut off come last. Nothing of it makes a terminal answer, but that one which has
//! `sendFocus` switched on says at once whether it has the focus.

use std::sync::Arc;

use crate::buffer::{Buffer, Saved};
use crate::cell::{Cell, EXTENDED, Link, More, Pen, UNDERLINE};
use crate::charset::Charset;
use crate::paint::Painter;
use crate::terminal::Terminal;

pub(crate) fn write(terminal: &Terminal) -> Vec<u8> {
    let mut painter = Painter::default();
    preamble(&mut painter, terminal);
    if !terminal.on_alternate && terminal.alternate.saved != Saved::default() {
        painter.push("\x1b[?1047h");
        save_cursor(&mut painter, &terminal.alternate);
        painter.push("\x1b[?1047l");
    }
    // What is printed again with nothing in it is a space from then on.
    let active = terminal.buffer();
    let again = (active.x >= active.columns && !terminal.dropped).then_some((active.y, active.columns - 1));
    buffer(&mut painter, &terminal.main, again.filter(|_| !terminal.on_alternate));
    if terminal.on_alternate {
        painter.set_pen(&Pen::default());
        painter.push("\x1b[?1047h");
        buffer(&mut painter, &terminal.alternate, again);
    }
    cursor(&mut painter, terminal);
    let mut bytes = painter.finish().into_bytes();
    bytes.extend_from_slice(terminal.parser.pending().as_bytes());
    bytes.extend_from_slice(terminal.decoder.pending());
    bytes
}

fn preamble(painter: &mut Painter, terminal: &Terminal) {
    if !terminal.title.is_empty() {
        painter.push(&format!("\x1b]2;{}\x07", terminal.title));
    }
    for (index, color) in &terminal.palette {
        match index {
            0..256 => painter.push(&format!("\x1b]4;{index};{color}\x07")),
            _ => painter.push(&format!("\x1b]{};{color}\x07", index - 246)),
        }
    }
}

fn buffer(painter: &mut Painter, buffer: &Buffer, again: Option<(usize, usize)>) {
    for y in 0..buffer.height() {
        let space = again.filter(|(at, _)| *at == y).map(|(_, column)| column);
        row(painter, buffer, y, space.filter(|column| buffer.rows[y].get(*column).width() > 0));
    }
    painter.set_pen(&Pen::default());
    if !buffer.has_default_tabs() {
        painter.push("\x1b[3g");
        for column in (0..buffer.columns).filter(|column| buffer.tabs[*column]) {
            painter.go_to(0, column);
            painter.push("\x1bH");
        }
    }
    save_cursor(painter, buffer);
    if (buffer.top, buffer.bottom) != (0, buffer.height() - 1) {
        painter.push(&format!("\x1b[{};{}r", buffer.top + 1, buffer.bottom + 1));
    }
}

/// With a column that has a space, if it has nothing else.
fn row(painter: &mut Painter, buffer: &Buffer, y: usize, space: Option<usize>) {
    let row = &buffer.rows[y];
    let continues = row.wrapped && y > 0 && continues(buffer, y);
    if !continues {
        painter.leave();
    }
    let mut column = 0;
    let end = row.len().max(space.map_or(0, |column| column + 1));
    while column < end {
        let cell = row.get(column);
        if !cell.has_content() && space != Some(column) {
            column += blanks(painter, buffer, y, column, space.unwrap_or(end));
            continue;
        }
        if continues && column == 0 {
            painter.wrap(y);
        } else {
            painter.reach(y, column);
        }
        painter.set_pen(&row.pen(column));
        text(painter, buffer, y, column);
        column += usize::from(cell.width()).max(1);
    }
}

/// Whether the row is reached by printing on from the one before, so that the terminal, too, knows that it goes on there.
fn continues(buffer: &Buffer, y: usize) -> bool {
    let (above, first) = (&buffer.rows[y - 1], buffer.rows[y].get(0));
    let last = above.get(buffer.columns - 1);
    match first.width() {
        _ if buffer.columns < 2 => false,
        1 if first.has_content() => last.has_content() || last.width() == 0,
        2 => last.has_content() || last.width() == 0,
        _ => false,
    }
}

/// Cells without content: those in the background's colour only are erased, others hold what looks the same, a space.
fn blanks(painter: &mut Painter, buffer: &Buffer, y: usize, column: usize, end: usize) -> usize {
    let row = &buffer.rows[y];
    let pen = row.pen(column);
    let alike = |column: &usize| !row.get(*column).has_content() && row.pen(*column) == pen;
    let count = (column..end).take_while(alike).count();
    if pen == Pen::default() {
        return count;
    }
    painter.reach(y, column);
    painter.set_pen(&pen);
    if pen == pen.eraser() {
        painter.push(&format!("\x1b[{count}X"));
    } else {
        painter.print(&" ".repeat(count), count, buffer.columns);
    }
    count
}

fn text(painter: &mut Painter, buffer: &Buffer, y: usize, column: usize) {
    let row = &buffer.rows[y];
    let width = usize::from(row.get(column).width());
    let mut text = String::new();
    row.push_text(column, &mut text);
    if text.is_empty() {
        text.push(' ');
    }
    if width == 0 {
        // An accent that joined nothing does so again only where nothing was printed before it.
        painter.forget_pen();
        painter.set_pen(&row.pen(column));
    }
    painter.print(&text, width.max(1), buffer.columns);
}

fn save_cursor(painter: &mut Painter, buffer: &Buffer) {
    let saved = &buffer.saved;
    if *saved == Saved::default() {
        return;
    }
    painter.set_pen(&saved_pen(saved));
    if saved.charset != Charset::ASCII {
        painter.push(&format!("\x1b({}", char::from(saved.charset.final_byte())));
    }
    painter.go_to(saved.y.min(buffer.height() - 1), saved.x.min(buffer.columns - 1));
    painter.push("\x1b7");
    if saved.charset != Charset::ASCII {
        painter.push("\x1b(B");
    }
    painter.set_pen(&Pen::default());
}

/// Only the flags are kept of what few cells have: any link, or underline, sets them.
fn saved_pen(saved: &Saved) -> Pen {
    let underline = u8::from(saved.fg & UNDERLINE != 0);
    let link = (underline == 0).then(|| Arc::new(Link { id: None, uri: "x".into() }));
    let more = (saved.bg & EXTENDED != 0).then(|| Arc::new(More { underline, underline_color: 0, link }));
    Pen { fg: saved.fg, bg: saved.bg, more }
}

/// Modes, the cursor and how it goes on. A character that was just printed is printed again, if an accent could still join it.
fn cursor(painter: &mut Painter, terminal: &Terminal) {
    let buffer = terminal.buffer();
    let joins = terminal.join != 0;
    let past = buffer.x >= buffer.columns;
    // Which is only so where DECRC brought it, and only DECRC brings it back.
    let restored = terminal.charset != terminal.charsets[terminal.level] && terminal.charset == buffer.saved.charset;
    if joins {
        modes(painter, terminal);
    }
    if joins || restored {
        charsets(painter, terminal);
    }
    if restored {
        painter.push("\x1b8");
        painter.forget_pen();
    }
    if terminal.modes.origin {
        painter.push("\x1b[?6h");
    }
    if joins || past {
        print_again(painter, terminal);
    } else {
        place(painter, terminal, buffer.x);
    }
    if !joins {
        if !restored {
            charsets(painter, terminal);
        }
        modes(painter, terminal);
        painter.set_pen(&terminal.pen);
    }
}

/// Goes to a column of the cursor's row. Where that lies outside of the margins although they are the origin, it is reached on the other
/// screen, which has none.
fn place(painter: &mut Painter, terminal: &Terminal, column: usize) {
    let buffer = terminal.buffer();
    if !terminal.modes.origin {
        painter.go_to(buffer.y, column);
    } else if (buffer.top..=buffer.bottom).contains(&buffer.y) || terminal.on_alternate {
        painter.go_to(buffer.y.saturating_sub(buffer.top), column);
    } else {
        painter.push("\x1b[?1047h");
        painter.go_to(buffer.y, column);
        painter.push("\x1b[?1047l");
    }
}

fn print_again(painter: &mut Painter, terminal: &Terminal) {
    let buffer = terminal.buffer();
    let row = &buffer.rows[buffer.y];
    let end = buffer.x.min(buffer.columns);
    if terminal.dropped {
        painter.set_pen(&terminal.pen);
        place(painter, terminal, buffer.columns - 1);
        painter.push("\u{3000}");
        return;
    }
    let width = if end > 1 && row.get(end - 1).width() == 0 && row.get(end - 2).width() == 2 { 2 } else { 1 };
    let column = end.saturating_sub(width);
    let cell: Cell = row.get(column);
    let mut text = String::new();
    row.push_text(column, &mut text);
    painter.set_pen(&if terminal.join == 0 { row.pen(column) } else { terminal.pen.clone() });
    place(painter, terminal, column);
    if terminal.join != 0 && terminal.modes.insert {
        painter.push(&format!("\x1b[{width}P"));
    }
    painter.push(if cell.has_content() { &text } else { " " });
    for _ in buffer.columns..buffer.x {
        painter.forget_pen();
        painter.set_pen(&row.pen(column));
        painter.push("\u{301}");
    }
}

fn charsets(painter: &mut Painter, terminal: &Terminal) {
    for (place, charset) in b"()*+".iter().zip(terminal.charsets) {
        if charset != Charset::ASCII {
            painter.push(&format!("\x1b{}{}", char::from(*place), char::from(charset.final_byte())));
        }
    }
    painter.push(["", "\x0e", "\x1bn", "\x1bo"][terminal.level]);
}

fn modes(painter: &mut Painter, terminal: &Terminal) {
    let modes = &terminal.modes;
    painter.push(if modes.new_line { "\x1b[20h" } else { "\x1b[20l" });
    painter.push(if modes.cursor_hidden { "\x1b[?25l" } else { "\x1b[?25h" });
    let switches = [
        (modes.insert, "\x1b[4h"),
        (modes.application_cursor, "\x1b[?1h"),
        (modes.application_keypad, "\x1b="),
        (!modes.wraparound, "\x1b[?7l"),
        (modes.cursor_blinks, "\x1b[?12h"),
        (modes.reverse_wraparound, "\x1b[?45h"),
        (modes.focus, "\x1b[?1004h"),
        (modes.bracketed_paste, "\x1b[?2004h"),
        (modes.synchronized, "\x1b[?2026h"),
    ];
    for (_, switch) in switches.iter().filter(|(on, _)| *on) {
        painter.push(switch);
    }
    for mode in modes.mouse.iter().chain(&modes.mouse_encoding) {
        painter.push(&format!("\x1b[?{mode}h"));
    }
    if modes.cursor_style != 0 {
        painter.push(&format!("\x1b[{} q", modes.cursor_style));
    }
}

//! Writes the sequences that bring a terminal from one place and pen to another.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::cell::{
    ANSI, BLINK, BOLD, DIM, INDEXED, INVERSE, INVISIBLE, ITALIC, KIND, Link, OVERLINE, PROTECTED, Pen, RGB,
    STRIKETHROUGH, UNDERLINE, VALUE,
};

#[derive(Default)]
pub(crate) struct Painter {
    out: String,
    /// Where the cursor is, if that is known.
    place: Option<(usize, usize)>,
    pen: Pen,
    link: Option<Arc<Link>>,
}

impl Painter {
    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Prints what takes so many columns from where the cursor is.
    pub(crate) fn print(&mut self, text: &str, width: usize, columns: usize) {
        self.out.push_str(text);
        self.place = self.place.map(|(y, x)| (y, x + width)).filter(|(_, x)| *x < columns);
    }

    /// The cursor is not where the next row begins.
    pub(crate) fn leave(&mut self) {
        self.place = None;
    }

    /// What is printed next goes to that row, as there is no room in the one before.
    pub(crate) fn wrap(&mut self, y: usize) {
        self.place = Some((y, 0));
    }

    pub(crate) fn reach(&mut self, y: usize, x: usize) {
        if self.place != Some((y, x)) {
            self.go_to(y, x);
        }
    }

    pub(crate) fn go_to(&mut self, y: usize, x: usize) {
        let _ = write!(self.out, "\x1b[{};{}H", y + 1, x + 1);
        self.place = Some((y, x));
    }

    /// The next pen is said as a whole.
    pub(crate) fn forget_pen(&mut self) {
        self.pen = Pen { fg: VALUE, bg: VALUE, more: None };
    }

    pub(crate) fn set_pen(&mut self, pen: &Pen) {
        let pen = pen.clone().canonical();
        if pen == self.pen {
            return;
        }
        let mut codes = vec!["0".to_owned()];
        let flags = [
            (pen.fg & BOLD, "1"),
            (pen.bg & DIM, "2"),
            (pen.bg & ITALIC, "3"),
            (pen.fg & BLINK, "5"),
            (pen.fg & INVERSE, "7"),
            (pen.fg & INVISIBLE, "8"),
            (pen.fg & STRIKETHROUGH, "9"),
            (pen.bg & OVERLINE, "53"),
        ];
        codes.extend(flags.iter().filter(|(on, _)| *on != 0).map(|(_, code)| (*code).to_owned()));
        let more = pen.more.as_deref();
        if pen.fg & UNDERLINE != 0 {
            let style = more.map_or(1, |more| more.underline);
            codes.push(if style > 1 { format!("4:{style}") } else { "4".to_owned() });
        }
        codes.extend(color(pen.fg, 30));
        codes.extend(color(pen.bg, 40));
        codes.extend(more.and_then(|more| color(more.underline_color, 50)));
        let _ = write!(self.out, "\x1b[{}m", codes.join(";"));
        if pen.bg & PROTECTED != 0 {
            self.push("\x1b[1\"q");
        }
        let link = more.and_then(|more| more.link.as_ref());
        if link != self.link.as_ref() {
            self.set_link(link);
        }
        self.pen = pen;
    }

    fn set_link(&mut self, link: Option<&Arc<Link>>) {
        self.link = link.cloned();
        let _ = match link {
            None => write!(self.out, "\x1b]8;;\x07"),
            Some(link) => {
                let id = link.id.as_ref().map(|id| format!("id={id}")).unwrap_or_default();
                write!(self.out, "\x1b]8;{id};{}\x07", link.uri)
            }
        };
    }
}

/// From 30 for the text, 40 for the background and 50 for the underline, which has no colours of the first kind.
fn color(word: u32, base: u32) -> Option<String> {
    let value = word & VALUE;
    match word & KIND {
        ANSI if value & 8 != 0 => Some(format!("{}", base + 60 + (value & 7))),
        ANSI => Some(format!("{}", base + (value & 7))),
        INDEXED => Some(format!("{};5;{}", base + 8, value & 0xff)),
        RGB if base == 50 && value == VALUE => Some("59".to_owned()),
        RGB => Some(format!("{};2;{};{};{}", base + 8, value >> 16, value >> 8 & 0xff, value & 0xff)),
        _ => None,
    }
}

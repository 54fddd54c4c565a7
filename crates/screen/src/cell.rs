//! One place of the grid, in the layout of xterm.js: what is there, and two words of colour and attributes.

use std::sync::Arc;

/// Colours of [`Pen`]: two bits say of which kind, the lower 24 which.
pub(crate) const KIND: u32 = 0x0300_0000;
pub(crate) const ANSI: u32 = 0x0100_0000;
pub(crate) const INDEXED: u32 = 0x0200_0000;
pub(crate) const RGB: u32 = 0x0300_0000;
pub(crate) const VALUE: u32 = 0x00ff_ffff;

/// Flags beside the foreground colour.
pub(crate) const INVERSE: u32 = 0x0400_0000;
pub(crate) const BOLD: u32 = 0x0800_0000;
pub(crate) const UNDERLINE: u32 = 0x1000_0000;
pub(crate) const BLINK: u32 = 0x2000_0000;
pub(crate) const INVISIBLE: u32 = 0x4000_0000;
pub(crate) const STRIKETHROUGH: u32 = 0x8000_0000;

/// Flags beside the background colour.
pub(crate) const ITALIC: u32 = 0x0400_0000;
pub(crate) const DIM: u32 = 0x0800_0000;
/// [`Pen::more`] counts.
pub(crate) const EXTENDED: u32 = 0x1000_0000;
pub(crate) const PROTECTED: u32 = 0x2000_0000;
pub(crate) const OVERLINE: u32 = 0x4000_0000;

const CODE: u32 = 0x001f_ffff;
/// The text is longer than a character and lies beside the row.
const COMBINED: u32 = 0x0020_0000;
const WIDTH_SHIFT: u32 = 22;

/// A link (OSC 8), which spans the cells that share it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) id: Option<Box<str>>,
    pub(crate) uri: Box<str>,
}

/// What few cells have.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct More {
    /// 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed.
    pub(crate) underline: u8,
    /// As a colour of [`Pen`]; 0 is the text's.
    pub(crate) underline_color: u32,
    pub(crate) link: Option<Arc<Link>>,
}

/// How what is written next looks.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Pen {
    pub(crate) fg: u32,
    pub(crate) bg: u32,
    pub(crate) more: Option<Arc<More>>,
}

impl Pen {
    /// What an erased cell keeps of it: the background's colour.
    pub(crate) fn eraser(&self) -> Self {
        Self { fg: 0, bg: self.bg & (KIND | VALUE), more: None }
    }

    pub(crate) fn is_default(&self) -> bool {
        self.fg == 0 && self.bg == 0
    }

    /// The same look said in one way only: DECRC brings back flags without what they are about.
    pub(crate) fn canonical(mut self) -> Self {
        let mut more = self.more.as_deref().cloned().unwrap_or_default();
        if self.bg & EXTENDED == 0 {
            more.link = None;
            more.underline = 1;
        }
        if self.fg & UNDERLINE == 0 || more.underline == 0 {
            self.fg &= !UNDERLINE;
            more.underline = 0;
        }
        self.change(|now| *now = more);
        self
    }

    /// Changes what few cells have, and says in the flags whether there is any of it.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut More)) {
        let mut more = self.more.as_deref().cloned().unwrap_or_default();
        change(&mut more);
        if more.underline != 0 || more.link.is_some() {
            self.bg |= EXTENDED;
        } else {
            self.bg &= !EXTENDED;
        }
        self.more = (more != More::default()).then(|| Arc::new(more));
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    content: u32,
    pub(crate) fg: u32,
    pub(crate) bg: u32,
}

impl Cell {
    /// What nobody has written to.
    pub(crate) const BLANK: Self = Self { content: 1 << WIDTH_SHIFT, fg: 0, bg: 0 };

    pub(crate) fn new(c: char, width: u8, pen: &Pen) -> Self {
        Self { content: c as u32 | u32::from(width) << WIDTH_SHIFT, fg: pen.fg, bg: pen.bg }
    }

    /// Without content, in the pen's colours.
    pub(crate) fn blank(pen: &Pen) -> Self {
        Self { fg: pen.fg, bg: pen.bg, ..Self::BLANK }
    }

    /// The second half of a wide character, or the rest of one.
    pub(crate) fn rest(pen: &Pen) -> Self {
        Self { content: 0, fg: pen.fg, bg: pen.bg }
    }

    pub(crate) fn width(self) -> u8 {
        (self.content >> WIDTH_SHIFT) as u8 & 3
    }

    pub(crate) fn has_content(self) -> bool {
        self.content & (CODE | COMBINED) != 0
    }

    pub(crate) fn is_combined(self) -> bool {
        self.content & COMBINED != 0
    }

    /// `None` without content, and where the text lies beside the row.
    pub(crate) fn char(self) -> Option<char> {
        if self.is_combined() || !self.has_content() { None } else { char::from_u32(self.content & CODE) }
    }

    pub(crate) fn combine(&mut self) {
        self.content = self.content & !CODE | COMBINED;
    }

    pub(crate) fn is_protected(self) -> bool {
        self.bg & PROTECTED != 0
    }

    pub(crate) fn is_extended(self) -> bool {
        self.bg & EXTENDED != 0
    }
}

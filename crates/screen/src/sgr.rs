//! Colours and attributes (SGR).

use crate::cell::{
    ANSI, BLINK, BOLD, DIM, INDEXED, INVERSE, INVISIBLE, ITALIC, KIND, OVERLINE, Pen, RGB, STRIKETHROUGH, UNDERLINE,
    VALUE,
};
use crate::parser::Params;
use crate::terminal::Terminal;

impl Terminal {
    pub(crate) fn set_attributes(&mut self) {
        let params = self.parser.params();
        let mut index = 0;
        while index < params.values().len() {
            index += set_attribute(&mut self.pen, params, index);
        }
    }
}

/// How many parameters that took.
fn set_attribute(pen: &mut Pen, params: &Params, index: usize) -> usize {
    let value = params.nth(index);
    match value {
        0 => reset(pen),
        1 => pen.fg |= BOLD,
        2 => pen.bg |= DIM,
        3 => pen.bg |= ITALIC,
        4 => set_underline(pen, params.subs(index).first().copied().unwrap_or(1)),
        5 => pen.fg |= BLINK,
        7 => pen.fg |= INVERSE,
        8 => pen.fg |= INVISIBLE,
        9 => pen.fg |= STRIKETHROUGH,
        21 => set_underline(pen, 2),
        22 => {
            pen.fg &= !BOLD;
            pen.bg &= !DIM;
        }
        23 => pen.bg &= !ITALIC,
        24 => set_underline(pen, 0),
        25 => pen.fg &= !BLINK,
        27 => pen.fg &= !INVERSE,
        28 => pen.fg &= !INVISIBLE,
        29 => pen.fg &= !STRIKETHROUGH,
        30..=37 => set_color(&mut pen.fg, ANSI | (value as u32 - 30)),
        39 => set_color(&mut pen.fg, 0),
        40..=47 => set_color(&mut pen.bg, ANSI | (value as u32 - 40)),
        49 => set_color(&mut pen.bg, 0),
        53 => pen.bg |= OVERLINE,
        55 => pen.bg &= !OVERLINE,
        59 => pen.change(|more| more.underline_color = RGB | VALUE),
        90..=97 => set_color(&mut pen.fg, ANSI | (value as u32 - 90) | 8),
        100..=107 => set_color(&mut pen.bg, ANSI | (value as u32 - 100) | 8),
        38 | 48 | 58 => return set_extended_color(pen, params, index),
        _ => {}
    }
    1
}

fn reset(pen: &mut Pen) {
    (pen.fg, pen.bg) = (0, 0);
    if pen.more.is_some() {
        pen.change(|more| (more.underline, more.underline_color) = (0, 0));
    }
}

fn set_underline(pen: &mut Pen, style: i32) {
    let style = if (0..=5).contains(&style) { style as u8 } else { 1 };
    pen.change(|more| more.underline = style);
    if style == 0 {
        pen.fg &= !UNDERLINE;
    } else {
        pen.fg |= UNDERLINE;
    }
}

fn set_color(word: &mut u32, color: u32) {
    *word = *word & !(KIND | VALUE) | color;
}

/// `38;5;n`, `38;2;r;g;b` and the forms with colons, with or without a colour space, mixed as people mix them.
fn set_extended_color(pen: &mut Pen, params: &Params, index: usize) -> usize {
    // The parameter itself, the kind, the colour space, three values.
    let mut parts = [0, 0, -1, 0, 0, 0];
    let (mut space, mut advance) = (0, 0);
    loop {
        parts[advance + space] = params.values()[index + advance];
        let subs = params.subs(index + advance);
        if !subs.is_empty() {
            for (place, sub) in subs.iter().enumerate() {
                if place > 0 && place + advance + 1 + space >= parts.len() {
                    break;
                }
                if parts[1] == 5 {
                    space = 1;
                }
                if let Some(part) = parts.get_mut(advance + place + 1 + space) {
                    *part = *sub;
                }
            }
            break;
        }
        if parts[1] == 5 && advance + space >= 2 || parts[1] == 2 && advance + space >= 5 {
            break;
        }
        if parts[1] != 0 {
            space = 1;
        }
        advance += 1;
        if index + advance >= params.values().len() || advance + space >= parts.len() {
            break;
        }
    }
    apply_color(pen, parts);
    advance + 1
}

fn apply_color(pen: &mut Pen, parts: [i32; 6]) {
    let byte = |place: usize| if parts[place] == -1 { 0 } else { parts[place] as u32 & 0xff };
    let color = match parts[1] {
        2 => RGB | byte(3) << 16 | byte(4) << 8 | byte(5),
        5 => INDEXED | byte(3),
        _ => return,
    };
    match parts[0] {
        38 => set_color(&mut pen.fg, color),
        48 => set_color(&mut pen.bg, color),
        _ => {
            // A colour alone is not yet anything to see.
            let mut more = pen.more.as_deref().cloned().unwrap_or_default();
            more.underline_color = color;
            pen.more = Some(more.into());
        }
    }
}

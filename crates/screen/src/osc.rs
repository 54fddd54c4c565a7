//! Titles, links and colours (OSC).

use std::sync::Arc;

use crate::cell::Link;
use crate::terminal::Terminal;

/// Of the palette: the colours that have no number.
const TEXT: u16 = 256;
const SPECIAL: u16 = 3;

impl Terminal {
    pub(crate) fn osc(&mut self) {
        let payload = self.parser.payload().to_owned();
        let (number, data) = payload.split_once(';').unwrap_or((&payload, ""));
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        match number.parse::<u32>() {
            Ok(0 | 2) => data.clone_into(&mut self.title),
            Ok(4) => self.set_palette(data),
            Ok(8) => self.set_link(data),
            Ok(number @ 10..=12) => self.set_special_colors(number as u16 - 10, data),
            Ok(104) => self.restore_palette(data),
            Ok(number @ 110..=112) => drop(self.palette.remove(&(TEXT + number as u16 - 110))),
            _ => {}
        }
    }

    fn set_palette(&mut self, data: &str) {
        let mut parts = data.split(';');
        while let (Some(index), Some(color)) = (parts.next(), parts.next()) {
            if let Some(index) = index.parse::<u16>().ok().filter(|index| *index < 256) {
                self.set_palette_color(index, color);
            }
        }
    }

    fn set_special_colors(&mut self, first: u16, data: &str) {
        for (place, color) in (first..SPECIAL).zip(data.split(';')) {
            self.set_palette_color(TEXT + place, color);
        }
    }

    /// What is no colour is a question, or nothing.
    fn set_palette_color(&mut self, index: u16, color: &str) {
        if is_color(color) {
            self.palette.insert(index, color.into());
        }
    }

    fn restore_palette(&mut self, data: &str) {
        if data.is_empty() {
            self.palette.clear();
        }
        for index in data.split(';').filter_map(|index| index.parse::<u16>().ok()).filter(|index| *index < 256) {
            self.palette.remove(&index);
        }
    }

    fn set_link(&mut self, data: &str) {
        let Some((params, uri)) = data.split_once(';') else { return };
        if uri.is_empty() {
            if params.trim().is_empty() {
                self.pen.change(|more| more.link = None);
            }
            return;
        }
        let id = params.trim().split(':').find_map(|param| param.strip_prefix("id=")).filter(|id| !id.is_empty());
        let link = Link { id: id.map(Into::into), uri: uri.into() };
        self.pen.change(|more| more.link = Some(Arc::new(link)));
    }
}

/// `rgb:h/h/h` with one to four digits each, or `#` and as many.
fn is_color(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(text) = text.strip_prefix('#') {
        return matches!(text.len(), 3 | 6 | 9 | 12) && is_hex(text);
    }
    let Some(parts) = text.strip_prefix("rgb:") else { return false };
    let parts = parts.split('/').collect::<Vec<_>>();
    let same = parts.iter().all(|part| part.len() == parts[0].len() && is_hex(part));
    parts.len() == 3 && (1..=4).contains(&parts[0].len()) && same
}

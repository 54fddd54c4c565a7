//! The national and graphic character sets that an application may map onto ASCII (ISO 2022), as xterm.js has them.

/// A set by the final byte of the sequence that chooses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Charset(u8);

impl Charset {
    pub(crate) const ASCII: Self = Self(b'B');

    /// `None` for a set that nobody has.
    pub(crate) fn named(final_byte: u8) -> Option<Self> {
        (final_byte == b'B' || replaced(final_byte).is_some()).then_some(Self(final_byte))
    }

    pub(crate) const fn final_byte(self) -> u8 {
        self.0
    }

    pub(crate) fn map(self, c: char) -> char {
        let Some((from, to)) = replaced(self.0) else { return c };
        let place = from.chars().position(|other| other == c);
        place.and_then(|place| to.chars().nth(place)).unwrap_or(c)
    }
}

fn replaced(final_byte: u8) -> Option<(&'static str, &'static str)> {
    Some(match final_byte {
        b'0' => (r##"`abcdefghijklmnopqrstuvwxyz{|}~"##, "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"),
        b'A' => (r##"#"##, "£"),
        b'4' => (r##"#@[\]{|}~"##, "£¾i½|¨f¼´"),
        b'C' | b'5' => (r##"[\]^`{|}~"##, "ÄÖÅÜéäöåü"),
        b'R' => (r##"#@[\]{|}~"##, "£à°ç§éùè¨"),
        b'Q' => (r##"@[\]^`{|}~"##, "àâçêîôéùèû"),
        b'K' => (r##"@[\]{|}~"##, "§ÄÖÜäöüß"),
        b'Y' => (r##"#@[\]`{|}~"##, "£§°çéùàòèì"),
        b'E' | b'6' => (r##"@[\]^`{|}~"##, "ÄÆØÅÜäæøåü"),
        b'Z' => (r##"#@[\]{|}"##, "£§¡Ñ¿°ñç"),
        b'H' | b'7' => (r##"@[\]^`{|}~"##, "ÉÄÖÅÜéäöåü"),
        b'=' => (r##"#@[\]^_`{|}~"##, "ùàéçêîèôäöüû"),
        _ => return None,
    })
}

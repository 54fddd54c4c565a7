//! Bytes into characters. As in xterm.js, what is not UTF-8 is nothing at all.

#[derive(Default, Debug)]
pub(crate) struct Decoder {
    /// The beginning of a character.
    bytes: [u8; 3],
    len: u8,
}

impl Decoder {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The character that this byte is or completes.
    pub(crate) fn push(&mut self, byte: u8) -> Option<char> {
        let len = usize::from(self.len);
        if len == 0 {
            return self.start(byte);
        }
        if byte & 0xc0 != 0x80 {
            self.len = 0;
            return self.start(byte);
        }
        let wanted = match self.bytes[0] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        if len + 1 < wanted {
            self.bytes[len] = byte;
            self.len += 1;
            return None;
        }
        self.len = 0;
        let mut text = [0; 4];
        text[..len].copy_from_slice(&self.bytes[..len]);
        text[len] = byte;
        // No byte order mark, wherever it is.
        std::str::from_utf8(&text[..=len]).ok()?.chars().next().filter(|c| *c != '\u{feff}')
    }

    fn start(&mut self, byte: u8) -> Option<char> {
        match byte {
            0..0x80 => Some(char::from(byte)),
            0xc0..=0xf7 => {
                self.bytes[0] = byte;
                self.len = 1;
                None
            }
            _ => None,
        }
    }
}

//! What of the typed bytes goes to the other machine.

/// Ctrl-]: what telnet leaves by, too.
pub(super) const LEAVE: u8 = 0x1d;
/// Ctrl-C, which leaves only where nothing is typed.
const INTERRUPT: u8 = 0x03;
/// Ctrl-D: the end of what is typed, at the beginning of a line.
const END: u8 = 0x04;

/// The bytes before the one that leaves, and whether there was one.
pub(super) fn until_leave(typed: &[u8], watching: bool) -> (&[u8], bool) {
    let leaves = |byte: &u8| *byte == LEAVE || watching && *byte == INTERRUPT;
    match typed.iter().position(leaves) {
        Some(end) => (&typed[..end], true),
        None => (typed, false),
    }
}

/// What says to a program that there is no more input, after a last byte. In the middle of a line the first one only
/// passes the line on (POSIX.1-2017 section 11.1.6).
pub(super) fn end_of_input(last: Option<u8>) -> &'static [u8] {
    match last {
        None | Some(b'\n' | b'\r') => &[END],
        Some(_) => &[END, END],
    }
}

/// Without what a terminal answers to queries by itself: positions, attributes, modes, colours. For the moments after
/// old output was drawn, of which somebody else has answered the queries.
pub(super) fn without_replies(typed: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(typed.len());
    let mut rest = typed;
    while let Some(first) = rest.first() {
        match reply(rest) {
            Some(length) => rest = &rest[length..],
            None => {
                kept.push(*first);
                rest = &rest[1..];
            }
        }
    }
    kept
}

/// The length of the reply that `bytes` begin with.
fn reply(bytes: &[u8]) -> Option<usize> {
    match bytes.get(..2)? {
        b"\x1b[" => {
            let is_parameter = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b'?' | b'>' | b'=' | b'$' | b' ');
            let parameters = bytes[2..].iter().take_while(|byte| is_parameter(byte)).count();
            let last = bytes.get(2 + parameters)?;
            let named = bytes.get(2).is_some_and(|byte| matches!(byte, b'?' | b'>' | b'='));
            let is_reply = match last {
                b'R' | b'n' | b't' => parameters > 0,
                b'c' | b'u' | b'y' => named,
                _ => false,
            };
            is_reply.then_some(2 + parameters + 1)
        }
        // Strings, to their end.
        b"\x1b]" | b"\x1bP" => {
            let body = &bytes[2..];
            let bell = body.iter().position(|byte| *byte == 0x07).map(|at| 2 + at + 1);
            let end = body.windows(2).position(|pair| pair == b"\x1b\\").map(|at| 2 + at + 2);
            bell.into_iter().chain(end).min()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_before_leaving_is_sent() {
        assert_eq!(until_leave(b"ls\r", false), (&b"ls\r"[..], false));
        assert_eq!(until_leave(b"ab\x1dcd", false), (&b"ab"[..], true));
        assert_eq!(until_leave(b"a\x03b", false), (&b"a\x03b"[..], false));
        assert_eq!(until_leave(b"a\x03b", true), (&b"a"[..], true));
    }

    #[test]
    fn the_end_of_input_ends_a_line_first() {
        assert_eq!(end_of_input(None), [END]);
        assert_eq!(end_of_input(Some(b'\n')), [END]);
        assert_eq!(end_of_input(Some(b'x')), [END, END]);
    }

    #[test]
    fn replies_of_the_terminal_are_not_keys() {
        for reply in [
            "\x1b[24;80R",
            "\x1b[?62;1;6c",
            "\x1b[>0;276;0c",
            "\x1b[0n",
            "\x1b[?2004;2$y",
            "\x1b[8;24;80t",
            "\x1b]11;rgb:0000/0000/0000\x07",
            "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
            "\x1bP>|xterm(388)\x1b\\",
        ] {
            assert_eq!(without_replies(format!("a{reply}b").as_bytes()), b"ab", "{reply:?}");
        }
        // Keys: arrows, home, function keys, Alt, a mouse.
        for keys in
            ["ls -l\r", "\x1b[A", "\x1b[H", "\x1bOP", "\x1b[15~", "\x1b[1;5D", "\x1bx", "\x1b", "\x1b[<0;1;1M", "ü"]
        {
            assert_eq!(without_replies(keys.as_bytes()), keys.as_bytes(), "{keys:?}");
        }
    }
}

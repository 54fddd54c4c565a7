//! Output by chance, from a seed.

use fastrand::Rng;

const TEXTS: [&str; 12] = [
    "a",
    "plain text of some length ",
    "x",
    "0123456789",
    "é",
    "世界",
    "─┐",
    "🙂",
    "e\u{301}",
    "\u{301}",
    "한글テスト",
    "👩‍💻",
];
const CONTROLS: [&str; 11] = ["\r\n", "\n", "\r", "\t", "\x08", "\x0e", "\x0f", "\x0b", "\u{84}", "\u{85}", "\x7f"];
const ESCAPES: [&str; 22] = [
    "7", "8", "D", "E", "H", "M", "=", ">", "c", "n", "o", "~", "%G", "#8", "(0", "(B", ")0", "*A", "+K", "-0", "\\",
    "(4",
];
// Without 7: half a wide character at the margin is not kept.
const MODES: [usize; 21] =
    [1, 2, 6, 12, 25, 47, 66, 1000, 1002, 1003, 1004, 1006, 1016, 1047, 1048, 1049, 1049, 2004, 2026, 9, 3];
const OSC: [&str; 12] = [
    "0;title",
    "2;another 世界",
    "8;;http://example.org/",
    "8;id=7;http://example.org/a",
    "8;;",
    "4;1;rgb:ff/00/7f",
    "104;1",
    "10;#aabbcc",
    "110",
    "52;c;?",
    "1337;unknown",
    "2;",
];

/// What programs write, and what none does, of about so many bytes: with character sets and an origin, or with saved cursors and both
/// screens. What is not kept is a set that came back with a cursor, or a cursor outside of the margins, where the screen is switched then,
/// and of underlines and links what xterm.js remembers while DECRC has switched them off.
pub(crate) fn sequences(rng: &mut Rng, bytes: usize, charsets: bool) -> Vec<u8> {
    let mut out = String::new();
    while out.len() < bytes {
        match rng.u8(..20) {
            0..7 => out.push_str(TEXTS[rng.usize(..TEXTS.len())]),
            7..9 => out.push_str(CONTROLS[rng.usize(..CONTROLS.len())]),
            9 => {
                out.push('\x1b');
                let escape = ESCAPES[rng.usize(..ESCAPES.len())];
                // A reset is rare, or there would be nothing to see.
                let rare = escape == "c" && rng.u8(..20) > 0;
                let other = if charsets { escape == "8" } else { escape.len() == 2 && escape != "#8" };
                out.push_str(if rare || other { "M" } else { escape });
            }
            10..13 => attributes(rng, &mut out, charsets),
            13..18 => csi(rng, &mut out, charsets),
            18 => {
                out.push_str("\x1b]");
                let osc = OSC[rng.usize(..OSC.len())];
                out.push_str(if charsets || !osc.starts_with('8') { osc } else { "2;title" });
                out.push_str(if rng.bool() { "\x07" } else { "\x1b\\" });
            }
            _ => odd(rng, &mut out, charsets),
        }
    }
    out.into_bytes()
}

const UNDERLINES: [&str; 5] = ["4", "4:3", "21", "58:5:9", "59"];

fn attributes(rng: &mut Rng, out: &mut String, underlines: bool) {
    const CODES: [&str; 18] = [
        "0",
        "1",
        "2;3",
        "4",
        "4:3",
        "7",
        "9",
        "21",
        "38;5;123",
        "48;2;1;2;3",
        "58:5:9",
        "38:2::9:8:7",
        "53",
        "44",
        "101",
        "31",
        "48;5;3",
        "59",
    ];
    out.push_str("\x1b[");
    for index in 0..rng.usize(..3) {
        if index > 0 {
            out.push(';');
        }
        let code = CODES[rng.usize(..CODES.len())];
        out.push_str(if underlines || !UNDERLINES.contains(&code) { code } else { "7" });
    }
    out.push('m');
}

fn csi(rng: &mut Rng, out: &mut String, charsets: bool) {
    const FINALS: &[u8] = b"ABCDEFGHIZJKLMPSTX@`abdefgrsuHHHHKKJ";
    out.push_str("\x1b[");
    if rng.u8(..6) == 0 {
        let mode = MODES[rng.usize(..MODES.len())];
        let mode = match mode {
            1047..=1049 if charsets => 6,
            6 if !charsets => 1047,
            mode => mode,
        };
        out.push_str(&format!("?{mode}{}", if rng.bool() { 'h' } else { 'l' }));
        return;
    }
    if rng.u8(..12) == 0 {
        const OTHERS: [&str; 14] =
            ["4h", "4l", "20h", "20l", "20l", "!p", "3 q", "0 q", "1\"q", "0\"q", "?J", "?1K", "2 @", "2'}"];
        out.push_str(OTHERS[rng.usize(..OTHERS.len())]);
        return;
    }
    // These xterm.js counts up to, so that it would take for ever.
    let last = FINALS[rng.usize(..FINALS.len())];
    let last = if charsets && last == b'u' { b'H' } else { last };
    let most = if b"IZLMSTb".contains(&last) { 30 } else { 3_000_000_000 };
    for index in 0..rng.usize(..3) {
        if index > 0 {
            out.push(';');
        }
        let number = if rng.u8(..50) == 0 { rng.usize(..most) } else { rng.usize(..30) };
        out.push_str(&number.to_string());
    }
    out.push(char::from(last));
}

/// What is broken off, or means nothing.
fn odd(rng: &mut Rng, out: &mut String, underlines: bool) {
    const ODD: [&str; 14] = [
        "\x1b[12",
        "\x1b[1;\n3H",
        "\x1bP1;2q#0;pixels\x1b\\",
        "\x1b_kitty\x1b\\",
        "\x1b]2;cut",
        "\x18",
        "\x1b[?",
        "\x1b[<1;2M",
        "\u{9b}3C",
        "\u{90}0zrest\u{9c}",
        "\x1bX ü",
        "\x1b",
        "\x1b[1:2:3;4:5m",
        "\x1b[3b",
    ];
    let odd = ODD[rng.usize(..ODD.len())];
    out.push_str(if underlines || !odd.ends_with('m') { odd } else { "\x1b[1;2" });
}

/// Nothing but chance, with more of what means something to a terminal.
pub(crate) fn noise(rng: &mut Rng, bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 16);
    while out.len() < bytes {
        match rng.u8(..16) {
            0 => out.extend_from_slice(b"\x1b["),
            1 => out.push(0x1b),
            2..6 => out.push(rng.u8(b'0'..=b'?')),
            6..8 => out.push(rng.u8(0x40..0x7f)),
            8 => out.extend_from_slice("世é🙂─".as_bytes()),
            _ => out.push(rng.u8(..)),
        }
    }
    out
}

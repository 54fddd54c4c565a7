//! What terminals are tested with, feature by feature.

/// Each with what it is about, in pieces.
pub(crate) const CASES: &[(&str, &[&str])] = &[
    (
        "alternate screen",
        &["shell$ vim\r\n\x1b[31m", "\x1b[?1049h\x1b[2J\x1b[Hin vim", "\x1b[5;5Hmore", "\x1b[?1049lback"],
    ),
    (
        "alternate screen without a saved cursor",
        &["one\r\n", "\x1b[?47htwo", "\x1b[?47lthree", "\x1b[?1047hfour\x1b[?1047l"],
    ),
    ("scroll region", &["1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[4H", "\n\n", "\x1bM\x1b[2H\x1bM", "\x1b[r\x1b[10H\n"]),
    ("lines", &["1\r\n2\r\n3\r\n4\x1b[2H", "\x1b[44m\x1b[2L", "\x1b[M", "\x1b[2S", "\x1b[T"]),
    ("characters", &["abcdefgh\x1b[1;3H", "\x1b[2@", "\x1b[3P", "\x1b[41m\x1b[2X", "\x1b[4hxy\x1b[4l"]),
    (
        "wide at the margin",
        &[
            "12345678901234567890123456789012345678\u{4e16}\u{754c}",
            "\u{4e16}",
            "\x1b[40Gx\u{4e16}",
            "\x1b[?7l\x1b[40G\u{4e16}y",
        ],
    ),
    ("wide written over", &["\u{4e16}\u{754c}\u{4e16}\x1b[2G", "x", "\x1b[4Gy", "\x1b[P", "\x1b[@"]),
    (
        "pending wrap",
        &["1234567890123456789012345678901234567890", "\x1b[31m", "x", "\x1b[3;40Hy", "\x08z", "\x1b[4;40Ha\rb"],
    ),
    ("tabs", &["\ta\tb", "\x1b[3g\x1b[5G\x1bH\x1b[12G\x1bH\r\tc\td", "\x1b[Z\x1b[g\re\tf"]),
    ("line drawing", &["\x1b(0lqqk\x1b(B plain", "\x1b)0\x0eqq\x0fqq", "\x0e", "q"]),
    ("saved line drawing", &["\x1b(0\x1b7\x1b(Bx", "\x1b8", "q", "\x1b(Bq"]),
    ("origin", &["\x1b[3;6r\x1b[?6h\x1b[1;1Ha", "\x1b[99;99Hb", "\x1b[2;3H", "\x1b[?6l\x1b[Hc"]),
    (
        "modes",
        &[
            "\x1b[?2004h\x1b[?1h\x1b=",
            "\x1b[?1000h\x1b[?1006h",
            "\x1b[?1003h\x1b[?1004h",
            "\x1b[4 q\x1b[?25l",
            "\x1b[20h\x1b[?45h",
        ],
    ),
    ("reset", &["\x1b[?2004h\x1b[3;5r\x1b[31mx\x1b(0", "\x1b[!p", "\x1b[?1049hq", "\x1bc", "x"]),
    (
        "titles and links",
        &[
            "\x1b]2;a title\x07",
            "\x1b]8;;http://example.org/\x1b\\link",
            " still\x1b]8;;\x1b\\ not",
            "\x1b]8;id=x;u:v\x07again",
        ],
    ),
    (
        "attributes",
        &[
            "\x1b[1;3;4mx\x1b[4:3my\x1b[58;2;1;2;3mz",
            "\x1b[38;2;9;8;7;48;5;200mw\x1b[7;9;53mv",
            "\x1b[0mu\x1b[21mt\x1b[24;2;5;8ms",
        ],
    ),
    ("accents", &["e", "\u{301}x", "\u{301}", "\r\n\u{301}y", "\u{4e16}\u{301}", "👩\u{200d}💻x"]),
    ("repetition", &["ab", "\x1b[5b", "c\x1b[3b"]),
    (
        "cut sequences",
        &["\x1b", "[3", "1", "mred", "\x1b]2;ti", "tle\x07x", "\x1bP1$", "rq\x1b\\y", "\x1b[1;\n", "5Hz"],
    ),
    ("protected", &["\x1b[1\"qkept\x1b[0\"qnot", "\x1b[?2J", "\x1b[2J"]),
    ("alignment", &["\x1b[44m\x1b#8", "\x1b[2;3H\x1b[1J", "\x1b[K"]),
];

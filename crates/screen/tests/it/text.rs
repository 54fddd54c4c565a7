//! The text of output.

use screen::Plain;

fn text(pieces: &[&[u8]]) -> String {
    let mut plain = Plain::default();
    let lines = pieces.iter().map(|piece| plain.feed(piece)).collect::<String>();
    lines + &plain.rest()
}

#[test]
fn sequences_are_left_out_and_returns_write_over() {
    assert_eq!(text(&[b"\x1b[31mred\x1b[0m and \x1b]2;title\x07plain\r\n"]), "red and plain\n");
    assert_eq!(text(&[b"  1%\r 50%\r100% done\nnext"]), "100% done\nnext");
    assert_eq!(text(&[b"abc\x08\x08X\n"]), "aXc\n");
}

#[test]
fn pieces_make_no_difference() {
    let whole = "é世界\x1b[1;32m─ok\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\\r\n".as_bytes();
    let bytes = whole.chunks(1).collect::<Vec<_>>();
    assert_eq!(text(&bytes), "é世界─oklink\n");
    assert_eq!(text(&[whole]), text(&bytes));
}

#[test]
fn a_line_without_an_end_is_broken() {
    let text = text(&[&[b'x'; 100_000]]);
    assert!(text.lines().all(|line| line.len() <= 16 * 1024));
    assert_eq!(text.matches('x').count(), 100_000);
}

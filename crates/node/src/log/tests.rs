mod group;
mod pack;

use std::io::Write as _;
use std::path::Path;

use ids::LogStream;

use super::segment::{self, name};
use super::tail::Backward;
use super::{Follower, Record, Writer, tail};

const ALL: usize = usize::MAX;

fn write(directory: &Path, lines: &[&str]) {
    let mut writer = Writer::open(directory, 1 << 20).unwrap();
    for line in lines {
        writer.line(LogStream::Out, (*line).into());
    }
    writer.flush().unwrap();
}

fn append(path: &Path, bytes: &[u8]) {
    std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn newest(directory: &Path) -> std::path::PathBuf {
    segment::list(directory).unwrap().pop().unwrap().path
}

fn line(number: u64, text: &str) -> String {
    format!("{{\"n\":{number},\"t\":{number},\"s\":\"out\",\"m\":\"{text}\"}}\n")
}

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.text.as_str()).collect()
}

fn forwards(directory: &Path, after: u64) -> Vec<Record> {
    let mut follower = Follower::after(directory.to_owned(), after);
    let mut records = Vec::new();
    loop {
        let some = follower.read(ALL).unwrap();
        if some.is_empty() {
            return records;
        }
        records.extend(some);
    }
}

fn backwards(directory: &Path) -> Vec<Record> {
    let mut lines = Backward::new(directory).unwrap();
    let mut records = std::iter::from_fn(|| Some(lines.next().unwrap()?.0)).collect::<Vec<_>>();
    records.reverse();
    records
}

/// What both directions of reading give, which must be the same.
fn both(directory: &Path) -> Vec<Record> {
    let records = forwards(directory, 0);
    assert_eq!(backwards(directory), records);
    records
}

#[test]
fn a_writer_goes_on_where_the_last_one_stopped() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &["one"]);
    write(dir.path(), &["two"]);
    let records = both(dir.path());
    assert_eq!(texts(&records), ["one", "two"]);
    assert_eq!(records[1].number, 2);
    assert_eq!(texts(&forwards(dir.path(), 1)), ["two"]);
}

#[test]
fn writers_at_the_same_time_share_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let mut writers = [(); 2].map(|()| Writer::open(dir.path(), 256 << 10).unwrap());
    let long = "x".repeat(20_000);
    for n in 0..20 {
        for writer in &mut writers {
            writer.line(LogStream::Out, format!("{n} {long}"));
            writer.flush().unwrap();
        }
    }
    let records = both(dir.path());
    let numbers = records.iter().map(|record| record.number).collect::<Vec<_>>();
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b) && numbers.last() == Some(&40), "{numbers:?}");
    assert!(segment::list(dir.path()).unwrap().len() > 1);
}

#[test]
fn a_line_cut_by_a_crash_does_not_spoil_the_next() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &["one"]);
    append(&newest(dir.path()), b"{\"n\":2,\"t\":1,\"s\":\"ou");
    assert_eq!(texts(&both(dir.path())), ["one"]);
    write(dir.path(), &["two"]);
    assert_eq!(texts(&both(dir.path())), ["one", "two"]);
}

#[test]
fn what_is_torn_is_skipped_and_nothing_else() {
    let whole = [line(1, "one"), line(2, "zwei \u{fc}"), line(3, "three")].concat();
    // Cut anywhere, also within a character.
    for cut in 0..=whole.len() {
        let dir = tempfile::tempdir().unwrap();
        append(&dir.path().join(name(1, false)), &whole.as_bytes()[..cut]);
        append(&dir.path().join(name(9, false)), line(9, "nine").as_bytes());
        let expected = whole.as_bytes()[..cut].iter().filter(|&&byte| byte == b'\n').count();
        let records = both(dir.path());
        assert_eq!(records.len(), expected + 1, "cut at {cut}");
        assert_eq!(records.last().unwrap().text, "nine");
    }
}

#[test]
fn garbage_costs_its_own_lines_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name(1, false));
    append(&path, line(1, "one").as_bytes());
    append(&path, b"\xff\xfe\x00 no line of ours\n\n{\"n\":\"x\"}\n\x80\n");
    append(&path, line(2, "two").as_bytes());
    append(&dir.path().join(name(3, false)), b"");
    append(&dir.path().join(name(4, true)), b"no archive");
    append(&dir.path().join("notes.txt"), b"nobody's");
    append(&dir.path().join(name(5, false)), line(5, "five").as_bytes());
    append(&dir.path().join(name(6, false)), b"\xc3\x28");
    assert_eq!(texts(&both(dir.path())), ["one", "two", "five"]);
    write(dir.path(), &["seven"]);
    assert_eq!(both(dir.path()).last().unwrap().text, "seven");
}

#[test]
fn an_empty_log_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert!(both(dir.path()).is_empty());
    append(&dir.path().join(name(1, false)), b"");
    assert!(both(dir.path()).is_empty());
    assert!(both(&dir.path().join("missing")).is_empty());
}

#[test]
fn a_segment_removed_while_it_is_read_loses_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for first in [1, 2, 3, 4] {
        append(&dir.path().join(name(first, false)), line(first, &first.to_string()).as_bytes());
    }
    let mut follower = Follower::after(dir.path().to_owned(), 0);
    let mut backward = Backward::new(dir.path()).unwrap();
    assert_eq!(texts(&follower.read(1).unwrap()), ["1"]);
    assert_eq!(backward.next().unwrap().unwrap().0.text, "4");
    for first in [1, 2] {
        std::fs::remove_file(dir.path().join(name(first, false))).unwrap();
    }
    assert_eq!(texts(&follower.read(1).unwrap()), ["3"]);
    assert_eq!(texts(&follower.read(1).unwrap()), ["4"]);
    assert!(follower.read(1).unwrap().is_empty());
    assert_eq!(backward.next().unwrap().unwrap().0.text, "3");
    assert!(backward.next().unwrap().is_none());
}

#[test]
fn a_reader_misses_no_line_around_a_new_segment() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), 8 << 20).unwrap();
    let mut follower = Follower::after(dir.path().to_owned(), 0);
    let mut seen = 0;
    let long = "x".repeat(9000);
    for n in 0..1000 {
        writer.line(LogStream::Out, format!("{n} {long}"));
        writer.flush().unwrap();
        if n % 7 == 0 {
            for record in follower.read(ALL).unwrap() {
                seen += 1;
                assert_eq!(record.number, seen);
            }
        }
    }
    assert!(seen > 900 && segment::list(dir.path()).unwrap().len() > 5, "{seen}");
}

#[test]
fn a_log_stays_within_its_bounds_and_keeps_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), 3 << 20).unwrap();
    for n in 0..6000 {
        writer.line(LogStream::Out, format!("{n} {}", "x".repeat(1000)));
        writer.flush().unwrap();
    }
    let size: u64 = segment::list(dir.path()).unwrap().iter().map(|it| it.path.metadata().unwrap().len()).sum();
    assert!(size < 4 << 20, "{size}");
    let last = tail(dir.path(), 2, |_| true).unwrap();
    assert!(last[1].text.starts_with("5999 "));
    assert_eq!(last[1].number, 6000);
}

#[test]
fn a_log_is_written_as_long_as_a_writer_has_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!super::write::is_written(dir.path()).unwrap());
    let writer = Writer::open(dir.path(), 1 << 20).unwrap();
    assert!(super::write::is_written(dir.path()).unwrap());
    drop(writer);
    assert!(!super::write::is_written(dir.path()).unwrap());
    assert!(!super::write::is_written(&dir.path().join("missing")).unwrap());
}

#[test]
fn a_failure_is_shown_with_its_last_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), 256 << 10).unwrap();
    for n in 0..3000 {
        writer.line(if n % 2 == 0 { LogStream::Out } else { LogStream::Err }, format!("{n} {}", "y".repeat(100)));
        writer.flush().unwrap();
    }
    writer.line(LogStream::Sys, "the app ended with exit code 1".into());
    writer.flush().unwrap();
    drop(writer);
    super::pack(dir.path()).unwrap();
    append(&newest(dir.path()).with_file_name(name(3002, false)), b"{\"n\":3002,\"t\":9,\"s\":\"err\",\"m\":\"cut o");
    let last = tail(dir.path(), 200, |record| record.stream != LogStream::Sys).unwrap();
    assert_eq!(last.len(), 200);
    assert!(last[0].text.starts_with("2800 ") && last[199].text.starts_with("2999 "));
    // Long ones are fewer, and one is always shown.
    let mut writer = Writer::open(dir.path(), 256 << 10).unwrap();
    for length in [30_000, 30_000, 30_000, 100_000] {
        writer.line(LogStream::Out, "z".repeat(length));
        writer.flush().unwrap();
        let count = tail(dir.path(), 200, |record| record.text.starts_with('z')).unwrap().len();
        assert!((1..=2).contains(&count), "{count}");
    }
}

//! Properties of every stream, here by chance from printed seeds.

use fastrand::Rng;
use screen::Screen;

use crate::streams;
use crate::xterm::Comparison;

const SEQUENCES: usize = 4_000_000;
const NOISE: usize = 10_000_000;

/// A snapshot drawn on a fresh screen gives that snapshot again, and what follows has the same effect.
fn check_restored(screen: &Screen, tail: &[u8], seed: u64) {
    let (rows, columns) = screen.size();
    let snapshot = screen.snapshot();
    let mut restored = Screen::new(rows, columns);
    restored.feed(&snapshot);
    let again = restored.snapshot();
    let same = snapshot.iter().zip(&again).take_while(|(one, other)| one == other).count().saturating_sub(120);
    let part = |snapshot: &[u8]| snapshot[same..(same + 240).min(snapshot.len())].escape_ascii().to_string();
    assert!(snapshot == again, "seed {seed}:\n{}\n{}", part(&snapshot), part(&again));
    restored.feed(tail);
    let mut continued = Screen::new(rows, columns);
    continued.feed(&snapshot);
    continued.feed(tail);
    assert!(continued.snapshot() == restored.snapshot(), "seed {seed}");
}

#[test]
fn a_screen_drawn_from_its_snapshot_draws_the_same() {
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let (rows, columns) = (rng.u16(1..30), rng.u16(2..90));
        let mut screen = Screen::new(rows, columns);
        for _ in 0..8 {
            let length = rng.usize(..3000);
            screen.feed(&streams::sequences(&mut rng, length, seed % 2 == 0));
            check_restored(&screen, &streams::sequences(&mut rng, 500, true), seed);
        }
    }
}

#[test]
fn pieces_make_no_difference() {
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let stream = if seed % 2 == 0 {
            streams::sequences(&mut rng, 20_000, seed % 4 == 0)
        } else {
            streams::noise(&mut rng, 20_000)
        };
        let (mut whole, mut pieces, mut bytes) = (Screen::new(24, 80), Screen::new(24, 80), Screen::new(24, 80));
        whole.feed(&stream);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rng.usize(1..=rest.len().min(40)));
            pieces.feed(piece);
            rest = later;
        }
        stream.iter().for_each(|byte| bytes.feed(&[*byte]));
        assert!(whole.snapshot() == pieces.snapshot() && whole.snapshot() == bytes.snapshot(), "seed {seed}");
    }
}

/// Ten million bytes, cut within every character at the pieces' edges.
#[test]
fn noise_looks_the_same_in_a_browser() {
    against_the_browser(&[1, 2, 3, 4], NOISE / 4, |rng, bytes, _| streams::noise(rng, bytes));
}

#[test]
fn sequences_look_the_same_in_a_browser() {
    let seeds = (10..50).collect::<Vec<_>>();
    against_the_browser(&seeds, SEQUENCES / seeds.len(), streams::sequences);
}

fn against_the_browser(seeds: &[u64], bytes: usize, make: fn(&mut Rng, usize, bool) -> Vec<u8>) {
    let mut comparison = Comparison::new(24, 80);
    for seed in seeds {
        println!("seed {seed}");
        let mut rng = Rng::with_seed(*seed);
        let (rows, columns) = (rng.u16(2..40), rng.u16(4..120));
        comparison.start(rows, columns);
        let stream = make(&mut rng, bytes, seed % 2 == 0);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let part = rng.usize(200..bytes / 20);
            let cut = rest.iter().skip(part).position(|byte| *byte < 0x80).map_or(rest.len(), |more| part + more + 1);
            let (part, later) = rest.split_at(cut);
            feed_in_pieces(&mut comparison, part);
            rest = later;
            if part.last().is_some_and(|byte| *byte < 0x80) {
                comparison.compare();
                comparison.snapshot();
            }
        }
    }
    println!("{}", comparison.finish());
}

/// Cuts within every character that lies at the edge of a piece of some kilobytes.
fn feed_in_pieces(comparison: &mut Comparison, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let edge = (1000..rest.len()).find(|place| rest[*place] & 0xc0 == 0x80).unwrap_or(rest.len());
        let (piece, later) = rest.split_at(edge);
        comparison.feed(piece);
        rest = later;
    }
}

#[test]
fn nothing_that_is_written_and_no_size_ends_it() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let mut screen = Screen::new(24, 80);
        for _ in 0..30 {
            screen.resize(rng.u16(..60), rng.u16(..150));
            let length = rng.usize(..400);
            screen.feed(&streams::sequences(&mut rng, length, true));
            screen.feed(&streams::noise(&mut rng, length));
            let before = screen.size();
            let mut restored = Screen::new(before.0, before.1);
            restored.feed(&screen.snapshot());
            assert_eq!(restored.size(), before);
        }
    }
    let mut screen = Screen::new(u16::MAX, u16::MAX);
    screen.feed(
        b"\x1b[999999999999;4294967295H\x1b[2147483647b\x1b[4294967296@x\x1b[1;65536r\x1b[99999999S\x1b[99999999L",
    );
    screen.resize(0, 0);
    assert_eq!(screen.size(), (1, 1));
    screen.feed("世\x1b[4h界e\u{301}".as_bytes());
}

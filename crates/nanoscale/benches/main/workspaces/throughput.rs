//! A long text, until the last of it is there.

use std::time::{Duration, Instant};

use super::{Line, Way, beside};
use crate::{Row, median, times};

const ROUNDS: usize = 5;
/// Of 1,000,000 bytes.
const MEGABYTES: u32 = 200;
const QUIET: Duration = Duration::from_millis(300);

pub(super) async fn measure() -> Row {
    let ways = Way::all(1).await;
    for way in &ways {
        let text = "yes 'Pack my box with five dozen liquor jugs, and mind the gaps.'";
        run(&mut way.open(0).await, &format!("{text} | head -c {MEGABYTES}000000 > ~/text")).await;
    }
    let mut speeds = vec![Vec::new(); ways.len()];
    for _ in 0..times(ROUNDS) {
        for (way, speeds) in ways.iter().zip(&mut speeds) {
            let mut line = way.open(0).await;
            line.settle(QUIET).await;
            let began = Instant::now();
            let bytes = run(&mut line, "cat ~/text").await;
            speeds.push(f64::from(MEGABYTES) / began.elapsed().as_secs_f64());
            assert!(bytes > MEGABYTES as usize * 1_000_000, "only {bytes} bytes came");
        }
    }
    let speed = |place: usize| median(speeds[place].clone());
    let mut value = beside(&ways, |place| format!("{:.0} MB/s", speed(place)));
    if ways.len() > 1 {
        value.push_str(&format!(": {:.1} × {}", speed(0) / speed(1), ways[1].name()));
    }
    Row {
        what: format!("`cat` of {MEGABYTES} MB of text to somebody who looks, median of {ROUNDS}"),
        value,
        budget: "2 × ttyd",
    }
}

/// The bytes that came until the shell has done that.
async fn run(line: &mut Line, command: &str) -> usize {
    // What is typed is shown too, and must not be taken for the end.
    line.type_in(&format!("{command}; printf 'all-%s' said\n")).await;
    let (mut bytes, mut last) = (0, Vec::new());
    loop {
        let output = line.next().await;
        bytes += output.len();
        last.extend_from_slice(&output[output.len().saturating_sub(64)..]);
        if last.windows(8).any(|text| text == b"all-said") {
            return bytes;
        }
        last.drain(..last.len().saturating_sub(64));
    }
}

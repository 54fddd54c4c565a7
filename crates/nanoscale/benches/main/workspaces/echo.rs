//! A key, until the shell has shown it.

use std::time::{Duration, Instant};

use super::{Line, Way, beside};
use crate::{Row, median, percentile, times};

const ROUNDS: usize = 5;
const KEYS: usize = 400;
/// Between two keys, which so never meet.
const PAUSE: Duration = Duration::from_millis(5);
const OPEN: [usize; 2] = [1, 100];

pub(super) async fn measure() -> Vec<Row> {
    let mut rows = Vec::new();
    for open in OPEN {
        let ways = Way::all(open).await;
        for way in &ways {
            for number in 1..open {
                tokio::spawn(way.open(number).await.idle());
            }
        }
        let mut rounds = vec![Vec::new(); ways.len()];
        for _ in 0..times(ROUNDS) {
            for (way, rounds) in ways.iter().zip(&mut rounds) {
                let echoes = echoes(&mut way.open(0).await).await;
                rounds.push((percentile(echoes.clone(), 50), percentile(echoes, 99)));
            }
        }
        let of = |place: usize| {
            let middle = |number: fn(&(f64, f64)) -> f64| median(rounds[place].iter().map(number).collect());
            format!("{:.2} / {:.2} ms", middle(|round| round.0), middle(|round| round.1))
        };
        let terminals = if open == 1 { "terminal" } else { "terminals" };
        rows.push(Row {
            what: format!(
                "a key until its echo is back, p50 / p99 of {KEYS}, medians of {ROUNDS}, with {open} {terminals} open"
            ),
            value: beside(&ways, of),
            budget: "p99 5 ms",
        });
    }
    rows
}

/// Milliseconds of each. A letter, then the key that takes it back: both are shown, and the line stays short.
async fn echoes(line: &mut Line) -> Vec<f64> {
    let mut took = Vec::new();
    for number in 0..times(KEYS) {
        line.settle(PAUSE).await;
        let began = Instant::now();
        line.type_in(if number % 2 == 0 { "x" } else { "\u{7f}" }).await;
        line.next().await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    line.settle(PAUSE).await;
    took
}

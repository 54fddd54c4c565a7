//! Which of a thousand machines.

use std::time::Instant;

use domain::mesh::prefix::{Prefix, Prefixes};
use domain::mesh::schedule::{Candidate, Wish, choose};
use ids::MeshNodeId;

use crate::{Row, percentile, times};

const MACHINES: u32 = 1000;

pub(super) fn measure() -> Row {
    let text = "all work and no play makes jack a dull boy ".repeat(200);
    let prefix = Prefix::of("m", text.as_bytes());
    let mut prefixes = Prefixes::default();
    let mut candidates = (0..MACHINES).map(machine).collect::<Vec<_>>();
    for candidate in candidates.iter().step_by(10) {
        prefixes.learn(&prefix, &candidate.node_id);
    }
    let wish = Wish { prompt_tokens: 2000, prompt_tokens_min: 1000, answer_tokens: Some(200) };
    let mut took = Vec::new();
    for _ in 0..times(2000) {
        let began = Instant::now();
        let readers = prefixes.readers(&prefix);
        for candidate in &mut candidates {
            candidate.remembers(readers.share(&candidate.node_id), wish.prompt_tokens);
        }
        assert!(std::hint::black_box(choose(wish, &candidates)).0.is_some());
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Row {
        what: format!("choosing one of {MACHINES} machines that have a model, for a prompt of 8 kB, p50 / p99 of 2000"),
        value: format!("{:.0} / {:.0} µs", percentile(took.clone(), 50), percentile(took, 99)),
        budget: "100 µs",
    }
}

fn machine(number: u32) -> Candidate {
    let node_id: MeshNodeId = format!("machine-{number}").parse().unwrap();
    Candidate {
        node_id,
        loaded: !number.is_multiple_of(3),
        context: 8192,
        slots: 1 + number % 4,
        busy: number % 7,
        read_speed: Some(500.0 + f64::from(number)),
        write_speed: Some(20.0 + f64::from(number % 100)),
        cached_tokens: 0,
        paused: false,
        full: false,
        ejected: number.is_multiple_of(50),
        tried: false,
    }
}

//! Flows, steps and victims by chance, of all that there are. `NANOSCALE_SEED` repeats a run, as far as the kernel's
//! scheduler lets it; `cargo xtask soak` goes on for longer.

use std::time::{Duration, Instant};

use checkpoint::Flow;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Cluster;
use super::cases::{prepare, steps};
use super::flows::{Case, Role};
use crate::seeded::number;

/// In the suite; a soak says its own.
const SECONDS: u64 = 25;
const FLOWS: [Flow; 6] = [Flow::Spread, Flow::Move, Flow::Drain, Flow::Reschedule, Flow::Redeploy, Flow::Join];

#[tokio::test]
async fn chance_finds_nothing_on_several_nodes_that_is_not_put_right() {
    let seed = number("NANOSCALE_SEED").unwrap_or_else(rand::random);
    let seconds = number("NANOSCALE_SOAK_SECONDS").unwrap_or(SECONDS);
    eprintln!("NANOSCALE_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let (start, mut cases) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        let flow = FLOWS[rng.random_range(0..FLOWS.len())];
        // A loss takes another machine to go to.
        let machines = if flow == Flow::Reschedule { 2 } else { rng.random_range(1..=2) };
        let mut cluster = Cluster::new(machines).await;
        let mut site = None;
        for number in 0..rng.random_range(3..=8) {
            let case = choose(&mut rng, flow, machines);
            let told = format!("NANOSCALE_SEED={seed}, case {cases}, number {number} on {machines} machines: {case:?}");
            eprintln!("{told}");
            let outcome = if flow == Flow::Join {
                case.join(&mut cluster).await
            } else {
                if site.is_none() {
                    site = Some(prepare(&cluster, flow, "site".into()).await.unwrap());
                }
                case.run(&mut cluster, site.as_mut().unwrap()).await
            };
            if let Err(fault) = outcome {
                panic!("{told}\n    {fault}");
            }
            cases += 1;
            if start.elapsed() >= Duration::from_secs(seconds) {
                break;
            }
        }
    }
    eprintln!("{cases} cases in {} s", start.elapsed().as_secs());
}

fn choose(rng: &mut StdRng, flow: Flow, machines: usize) -> Case {
    let steps = steps(flow).collect::<Vec<_>>();
    let checkpoint = steps[rng.random_range(0..steps.len())];
    let roles: &[Role] = match flow {
        Flow::Join => &[Role::Server, Role::Target],
        _ if machines < 2 => &Role::ALL[..3],
        _ => &Role::ALL,
    };
    Case { flow, checkpoint, role: roles[rng.random_range(0..roles.len())] }
}

//! Who computes yields to who answers. A kernel that shares the processors fairly lets a process that wakes up for a
//! moment wait while another one uses its turn up, which visitors notice. A project that takes more than half of the
//! machine therefore has its turns only while nobody else wants to compute: it has what is left, which is most of it. One that
//! gets little that way is ordinary again, so that nobody starves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ids::{ProjectId, WorkloadId};
use sandbox::cgroup::Cgroup;
use tokio::time::{MissedTickBehavior, interval};

use super::Agent;
use crate::metrics::processor_times;

const PERIOD: Duration = Duration::from_millis(500);
/// Parts of all processors: a project that takes more yields, and does until it takes less than the other.
const MUCH: f64 = 0.5;
const LITTLE: f64 = 0.4;

/// What of a project takes its turns together.
struct Member {
    group: ProjectId,
    cgroup: Cgroup,
    cpu_weight: u64,
}

struct Ledger {
    at: Instant,
    /// Of the machine: busy, and all.
    times: (u64, u64),
    /// Microseconds that each member has had, by the name of its cgroup.
    had: BTreeMap<String, u64>,
    /// Whether a project yields; one that an earlier process of the node knew is not in it at first.
    yields: BTreeMap<ProjectId, bool>,
}

// === impl Ledger ===

impl Ledger {
    fn new() -> Self {
        Self { at: Instant::now(), times: processor_times(), had: BTreeMap::new(), yields: BTreeMap::new() }
    }

    /// The part of the machine that was at work since the last time.
    #[expect(clippy::cast_precision_loss, reason = "ticks of half a second")]
    fn busy(&mut self) -> f64 {
        let (before, now) = (self.times, processor_times());
        self.times = now;
        now.0.saturating_sub(before.0) as f64 / now.1.saturating_sub(before.1).max(1) as f64
    }

    /// The parts of the machine that projects took since the last time.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of half a second")]
    fn shares(&mut self, members: &[Member]) -> BTreeMap<ProjectId, f64> {
        let elapsed = std::mem::replace(&mut self.at, Instant::now()).elapsed();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let all = elapsed.as_micros() as f64 * cores as f64;
        let mut shares = BTreeMap::new();
        let mut had = BTreeMap::new();
        for member in members {
            let now = member.cgroup.stats().cpu_usec.unwrap_or_default();
            let name = member.cgroup.name();
            let took = now.saturating_sub(self.had.get(name).copied().unwrap_or(now));
            *shares.entry(member.group.clone()).or_default() += took as f64 / all;
            had.insert(name.to_owned(), now);
        }
        self.had = had;
        shares
    }
}

fn should_yield(share: f64, yields: bool) -> bool {
    share > if yields { LITTLE } else { MUCH }
}

// === impl Agent ===

impl Agent {
    /// Has projects that compute all the time yield to the others, for ever.
    pub(super) async fn have_hogs_yield(&self) {
        let mut ledger = Ledger::new();
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // Where most of the machine is idle nobody takes more than half of it, and nothing has to be looked at.
            let idle = ledger.busy() < LITTLE;
            if idle && ledger.had.is_empty() && !ledger.yields.values().any(|yields| *yields) {
                continue;
            }
            let members = self.members();
            for (group, share) in ledger.shares(&members) {
                let before = ledger.yields.get(&group).copied();
                let now = should_yield(share, before.unwrap_or_default());
                if before != Some(now) {
                    tracing::debug!(%group, share, yields = now, "its part of the processors");
                }
                if self.confine().groups.set_idle(&group, now).await {
                    ledger.yields.insert(group, now);
                    continue;
                }
                // A process that has just been started is ordinary.
                for member in members.iter().filter(|member| member.group == group && (now || before != Some(now))) {
                    if let Err(error) = member.cgroup.set_idle(now, member.cpu_weight) {
                        tracing::debug!(%error, "cannot have a group yield");
                    }
                }
                ledger.yields.insert(group, now);
            }
            ledger.yields.retain(|group, _| members.iter().any(|member| &member.group == group));
            if idle {
                ledger.had.clear();
            }
        }
    }

    /// Everything that is wanted and has a cgroup.
    fn members(&self) -> Vec<Member> {
        let wanted = {
            let state = self.lock();
            let Some(desired) = &state.desired else { return Vec::new() };
            let workloads =
                desired.workloads.iter().map(|spec| (&spec.context.group, spec.id.clone(), &spec.context.limits));
            let jobs = desired.jobs.iter().map(|spec| (&spec.context.group, spec.id.clone(), &spec.context.limits));
            let builds = desired.builds.iter().map(|spec| (&spec.group, WorkloadId::from(&spec.id), &spec.limits));
            let all = workloads.chain(jobs).chain(builds);
            all.map(|(group, id, limits)| (group.clone(), id, limits.cpu_weight)).collect::<Vec<_>>()
        };
        let member = |(group, id, cpu_weight)| Some(Member { group, cgroup: self.confine().cgroup(&id)?, cpu_weight });
        wanted.into_iter().filter_map(member).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::should_yield;

    #[test]
    fn who_takes_most_of_the_machine_yields_until_it_takes_little() {
        for (share, before, after) in
            [(0.2, false, false), (0.49, false, false), (0.51, false, true), (0.45, true, true), (0.39, true, false)]
        {
            assert_eq!(should_yield(share, before), after, "{share}");
        }
    }
}

//! Which builds may begin: so many at a time, first come first served, and none while memory is short. A project has one
//! build at a time and comes behind the others with its next one, so none keeps another from its turn.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ids::DeploymentId;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::{BuildSpec, BuildStep, Failure};

use super::{Agent, build};
use crate::metrics::{memory_available, memory_total};

/// Since Linux 4.20, where it was built in and switched on; see the kernel's documentation of pressure stall information.
const PRESSURE: &str = "/proc/pressure/memory";
/// Memory is looked at so often while a build waits for it.
const PERIOD: Duration = Duration::from_millis(500);
/// Memory that was short is taken to be so for some longer: a build that was let in has to show first what it takes.
const APART: Duration = Duration::from_secs(5);
/// Without pressure to go by, a build needs this part of all memory free, or its own limit if that is less.
const FREE_PART: u64 = 8;

pub(super) struct Admission {
    queue: Mutex<Queue>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Queue {
    /// In the order in which they came.
    waiting: Vec<DeploymentId>,
    running: BTreeSet<DeploymentId>,
    /// Some time after memory was last seen to be short.
    short_until: Option<Instant>,
}

/// A build's place, as long as it is held.
pub(super) struct Turn {
    agent: Agent,
    id: DeploymentId,
}

/// Why a build does not begin yet.
enum Wait {
    Turn { running: usize, before: usize },
    Memory(String),
}

// === impl Admission ===

impl Admission {
    pub(super) fn new() -> Self {
        Self { queue: Mutex::default(), changed: watch::Sender::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let admission = &self.agent.inner.admission;
        let mut queue = admission.lock();
        queue.running.remove(&self.id);
        queue.waiting.retain(|waiting| waiting != &self.id);
        drop(queue);
        admission.changed.send_replace(());
    }
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Turn { running, before: 0 } => {
                write!(f, "waiting for its turn: {running} at a time are built (limits.builds_at_once)")
            }
            Self::Turn { running, before } => {
                write!(
                    f,
                    "waiting for its turn: {running} at a time are built (limits.builds_at_once), {before} came before"
                )
            }
            Self::Memory(why) => write!(f, "waiting for memory: {why}"),
        }
    }
}

impl Agent {
    /// Puts a build behind those that wait already. Its first step is to wait, or to begin.
    pub(super) fn queue_up(&self, spec: &BuildSpec) -> (Turn, BuildStep) {
        self.inner.admission.lock().waiting.push(spec.id.clone());
        let step = if self.try_begin(spec).is_none() { BuildStep::Fetch } else { BuildStep::Wait };
        (Turn { agent: self.clone(), id: spec.id.clone() }, step)
    }

    /// Waits until the build may begin, and says what for. It does not wait for ever.
    pub(super) async fn admit(&self, spec: &BuildSpec) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(spec.timeout_seconds);
        let mut changed = self.inner.admission.changed.subscribe();
        let mut said = None;
        while let Some(wait) = self.try_begin(spec) {
            let kind = std::mem::discriminant(&wait);
            if said != Some(kind) {
                build::log(self, spec, &[wait.to_string()]);
                build::report(self, spec, |status| status.step = BuildStep::Wait);
                said = Some(kind);
            }
            if Instant::now() >= deadline {
                let minutes = spec.timeout_seconds.div_ceil(60);
                let reason =
                    format!("the build could not begin within {minutes} min; it was {wait}; deploy again later");
                return Err(self.failure(spec, "NODE_BUSY", reason));
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(PERIOD) => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        if said.is_some() {
            build::report(self, spec, |status| status.step = BuildStep::Fetch);
        }
        Ok(())
    }

    /// Begins a build if it may begin now.
    fn try_begin(&self, spec: &BuildSpec) -> Option<Wait> {
        let mut queue = self.inner.admission.lock();
        if queue.running.contains(&spec.id) {
            return None;
        }
        let running = queue.running.len();
        let before = queue.waiting.iter().position(|waiting| waiting == &spec.id).unwrap_or_default();
        if before > 0 || running >= self.inner.config.builds_at_once {
            return Some(Wait::Turn { running, before });
        }
        let now = Instant::now();
        if let Some(why) = self.memory_is_short(spec) {
            queue.short_until = Some(now + APART);
            return Some(Wait::Memory(why));
        }
        if queue.short_until.is_some_and(|then| now < then) {
            if running > 0 {
                return Some(Wait::Memory("there was none until now, and another build runs".into()));
            }
            queue.short_until = Some(now + APART);
        }
        queue.waiting.retain(|waiting| waiting != &spec.id);
        queue.running.insert(spec.id.clone());
        None
    }

    fn memory_is_short(&self, spec: &BuildSpec) -> Option<String> {
        let most = self.inner.config.build_pressure_percent;
        if most >= 100 {
            return None;
        }
        if let Some(percent) = pressure() {
            #[expect(clippy::cast_precision_loss, reason = "a percentage")]
            let is_high = percent > most as f64;
            return is_high.then(|| {
                format!("programs waited for it {percent} % of the last ten seconds, more than {most} % (limits.build_pressure_percent)")
            });
        }
        let (available, total) = (memory_available()?, memory_total()?);
        let needed = spec.limits.memory_bytes.min(total / FREE_PART);
        (available < needed).then(|| format!("{} MB are free, and {} MB have to be", available >> 20, needed >> 20))
    }
}

/// What builds wait for on this kernel.
pub(crate) fn capability() -> wire::Capability {
    let enabled = pressure().is_some();
    let detail = if enabled {
        "builds wait while programs wait for memory"
    } else {
        "this kernel does not tell the pressure on memory (PSI); builds wait for free memory instead"
    };
    wire::Capability { name: "memory_pressure".into(), enabled, detail: detail.into() }
}

/// Percent of the last ten seconds in which some program waited for memory.
fn pressure() -> Option<f64> {
    parse(&std::fs::read_to_string(PRESSURE).ok()?)
}

fn parse(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_kernels_text_is_read() {
        let text = "some avg10=12.34 avg60=5.00 avg300=0.10 total=1247861\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=340958\n";
        assert_eq!(parse(text), Some(12.34));
        assert_eq!(parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"), Some(0.0));
        for odd in ["", "full avg10=3.00\n", "some avg60=1.00\n", "some avg10=x\n"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}

//! The caches of builds, and how much disk all of them take: beyond a limit, or when the disk runs out, those go
//! first that were not used for long, are large, and are soon made again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ids::ProjectId;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use wire::{Cache, CachePrune, Caches};

use super::{Agent, State, disk};
use crate::layout::write_atomic;
use crate::now_ms;

/// The disk is looked at this often, also without a build.
const PERIOD: Duration = Duration::from_secs(60);
/// So often while the trash is being emptied: what was removed counts once it has left the disk.
const EMPTYING: Duration = Duration::from_millis(200);
/// The limit, unless one is set: this much, or a part of the disk if that is less.
const USUAL_LIMIT: u64 = 10 << 30;
const PART_OF_DISK: u64 = 10;

/// What is known of every cache.
#[derive(Default)]
pub(super) struct Ledger {
    records: Mutex<BTreeMap<ProjectId, Record>>,
    /// A build has ended, or caches are to be looked at for another reason.
    wake: Notify,
}

/// Kept in a file beside the cache, so that nothing has to be measured before it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    bytes: u64,
    last_used_ms: Option<i64>,
    rebuild_ms: Option<u64>,
    /// Whether `bytes` were counted since this process, or the last build, began to write there.
    #[serde(skip)]
    measured: bool,
    /// How often it was removed: what was counted before says nothing about what is there after.
    #[serde(skip)]
    removals: u64,
}

// === impl Ledger ===

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProjectId, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Agent ===

impl Agent {
    /// Keeps all caches together below their limit, and the disk's reserve free.
    pub(super) async fn govern_caches(&self) {
        loop {
            self.measure_caches().await;
            let emptying = !self.confine().layout.trash_is_empty();
            self.remove_caches(|caches| {
                let limit = excess(caches, self.cache_limit());
                // What lies in the trash is as good as free.
                let disk = if emptying { 0 } else { self.missing_on_disk() };
                limit.max(disk)
            });
            let pause = if emptying { EMPTYING } else { PERIOD };
            tokio::select! {
                () = self.inner.caches.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Whether a build that begins now has nothing to begin with.
    pub(super) fn cache_is_empty(&self, group: &ProjectId) -> bool {
        let entries = std::fs::read_dir(self.confine().layout.cache(group));
        entries.map_or(true, |mut entries| entries.next().is_none())
    }

    /// A build of this group was installed and built in this time.
    pub(super) fn note_rebuild_cost(&self, group: &ProjectId, cold: bool, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.change_record(group, |record| {
            // With a cache it takes less, so that says only what it takes at least.
            record.rebuild_ms = Some(if cold { took } else { record.rebuild_ms.unwrap_or_default().max(took) });
        });
    }

    /// A build of this group has ended, however it did. Where no build would have room beside the cache, the cache goes.
    pub(super) fn left_cache(&self, group: &ProjectId, overgrown: bool) {
        self.change_record(group, |record| {
            record.last_used_ms = Some(now_ms());
            record.measured = false;
        });
        if overgrown {
            self.discard_cache(group);
            self.inner.trash.notify_one();
        }
    }

    /// Has the caches measured, and kept below their limit, now.
    pub(super) fn look_at_caches(&self) {
        self.inner.caches.wake.notify_one();
    }

    fn change_record(&self, group: &ProjectId, change: impl FnOnce(&mut Record)) {
        let mut records = self.inner.caches.lock();
        let record = records.entry(group.clone()).or_insert_with(|| self.read_record(group));
        change(record);
        self.write_record(group, record);
    }

    /// Every cache, the one that would go first in front.
    pub(crate) fn caches(&self) -> Caches {
        Caches { caches: self.list_caches(&self.lock()), limit_bytes: self.cache_limit() }
    }

    /// Removes caches, or says which would go. Those that builds work with stay.
    pub(crate) fn prune_caches(&self, prune: &CachePrune) -> Vec<Cache> {
        let chosen = |caches: Vec<Cache>| match (&prune.group, prune.bytes) {
            (Some(group), _) => caches.into_iter().filter(|cache| &cache.group == group).collect(),
            (None, bytes) => until_freed(caches, bytes.unwrap_or(u64::MAX)),
        };
        if prune.dry_run {
            return chosen(removable(self.list_caches(&self.lock())));
        }
        self.discard_caches(chosen)
    }

    /// Makes room on a full disk. Whether there is, or soon will be, more of it.
    pub(super) fn relieve_disk(&self) -> bool {
        !self.confine().layout.trash_is_empty() || !self.remove_caches(|_| self.missing_on_disk()).is_empty()
    }

    /// Removes caches until the bytes that `excess` asks for are freed, and says so in the log.
    fn remove_caches(&self, excess: impl FnOnce(&[Cache]) -> u64) -> Vec<Cache> {
        let removed = self.discard_caches(|caches| {
            let bytes = excess(&caches);
            until_freed(removable(caches), bytes)
        });
        for cache in &removed {
            tracing::info!(group = %cache.group, bytes = cache.bytes, "removed a build cache to keep caches below their limit");
        }
        removed
    }

    /// What `choose` picks goes into the trash, under the lock that a build needs to begin.
    fn discard_caches(&self, choose: impl FnOnce(Vec<Cache>) -> Vec<Cache>) -> Vec<Cache> {
        let state = self.lock();
        let mut chosen = choose(self.list_caches(&state));
        chosen.retain(|cache| !cache.in_use && self.discard_cache(&cache.group));
        drop(state);
        self.inner.trash.notify_one();
        chosen
    }

    fn discard_cache(&self, group: &ProjectId) -> bool {
        if let Err(error) = self.confine().layout.discard(&self.confine().layout.cache(group)) {
            tracing::warn!(%error, group = %group, "cannot remove a build cache");
            return false;
        }
        if let Some(record) = self.inner.caches.lock().get_mut(group) {
            record.bytes = 0;
            record.removals += 1;
            self.write_record(group, record);
        }
        true
    }

    fn list_caches(&self, state: &State) -> Vec<Cache> {
        let in_use = |group: &ProjectId| {
            state.builds.values().any(|build| &build.group == group && build.status.outcome.is_none())
        };
        let records = self.inner.caches.lock();
        let filled = records.iter().filter(|(_, record)| record.bytes > 0);
        let mut caches = filled
            .map(|(group, record)| Cache {
                group: group.clone(),
                bytes: record.bytes,
                last_used_ms: record.last_used_ms,
                rebuild_ms: record.rebuild_ms,
                in_use: in_use(group),
            })
            .collect::<Vec<_>>();
        drop(records);
        let now = now_ms();
        caches.sort_by(|a, b| dispensable(b, now).total_cmp(&dispensable(a, now)).then_with(|| a.group.cmp(&b.group)));
        caches
    }

    /// Measures what was written to since the last time, one after the other and beside other work.
    async fn measure_caches(&self) {
        let groups = self.confine().layout.groups();
        let stale = {
            let mut records = self.inner.caches.lock();
            records.retain(|group, _| groups.contains(group));
            for group in groups {
                records.entry(group.clone()).or_insert_with(|| self.read_record(&group));
            }
            let stale = records.iter().filter(|(_, record)| !record.measured);
            stale.map(|(group, _)| group.clone()).collect::<Vec<_>>()
        };
        for group in stale {
            // What is written from here on is measured the next time.
            let removals = match self.inner.caches.lock().get_mut(&group) {
                Some(record) => {
                    record.measured = true;
                    record.removals
                }
                None => continue,
            };
            let cache = self.confine().layout.cache(&group);
            let Ok(bytes) = tokio::task::spawn_blocking(move || disk::size(&cache)).await else { continue };
            let mut records = self.inner.caches.lock();
            if let Some(record) = records.get_mut(&group)
                && record.removals == removals
                && record.bytes != bytes
            {
                record.bytes = bytes;
                self.write_record(&group, record);
            }
        }
    }

    /// Bytes that all caches together may take.
    fn cache_limit(&self) -> u64 {
        self.inner.config.cache_bytes.unwrap_or_else(|| {
            let total = disk::total(self.confine().layout.root()).unwrap_or(u64::MAX);
            USUAL_LIMIT.min(total / PART_OF_DISK)
        })
    }

    /// Bytes of the disk's reserve that are not free.
    fn missing_on_disk(&self) -> u64 {
        let free = disk::free(self.confine().layout.root()).unwrap_or(u64::MAX);
        self.inner.config.disk_reserve_bytes.saturating_sub(free)
    }

    fn read_record(&self, group: &ProjectId) -> Record {
        let read = |path: &Path| serde_json::from_slice(&std::fs::read(path).ok()?).ok();
        read(&self.confine().layout.cache_record(group)).unwrap_or_default()
    }

    fn write_record(&self, group: &ProjectId, record: &Record) {
        let written = serde_json::to_vec(record)
            .map_err(std::io::Error::from)
            .and_then(|bytes| write_atomic(&self.confine().layout.cache_record(group), &bytes));
        if let Err(error) = written {
            tracing::warn!(%error, group = %group, "cannot write down what is known of a build cache");
        }
    }
}

/// How much sooner than others a cache goes: by time since its last use and size, against what it saves.
fn dispensable(cache: &Cache, now_ms: i64) -> f64 {
    let age = now_ms.saturating_sub(cache.last_used_ms.unwrap_or_default()).max(1);
    let rebuild = cache.rebuild_ms.unwrap_or_default().max(1000);
    #[expect(clippy::cast_precision_loss, reason = "it only has to order them")]
    let score = age as f64 * cache.bytes as f64 / rebuild as f64;
    score
}

fn removable(caches: Vec<Cache>) -> Vec<Cache> {
    caches.into_iter().filter(|cache| !cache.in_use).collect()
}

/// As many as free `bytes`, from the front.
fn until_freed(caches: Vec<Cache>, bytes: u64) -> Vec<Cache> {
    let mut freed = 0_u64;
    let mut chosen = Vec::new();
    for cache in caches {
        if freed >= bytes {
            break;
        }
        freed += cache.bytes;
        chosen.push(cache);
    }
    chosen
}

fn excess(caches: &[Cache], limit: u64) -> u64 {
    caches.iter().map(|cache| cache.bytes).sum::<u64>().saturating_sub(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn cache(bytes: u64, age_seconds: i64, rebuild_seconds: u64) -> Cache {
        Cache {
            group: ProjectId::new(),
            bytes,
            last_used_ms: Some(NOW - 1000 * age_seconds),
            rebuild_ms: Some(1000 * rebuild_seconds),
            in_use: false,
        }
    }

    fn goes_before(a: &Cache, b: &Cache) -> bool {
        dispensable(a, NOW) > dispensable(b, NOW)
    }

    #[test]
    fn old_large_and_cheap_ones_go_first() {
        assert!(goes_before(&cache(100, 60, 10), &cache(100, 30, 10)));
        assert!(goes_before(&cache(200, 60, 10), &cache(100, 60, 10)));
        assert!(goes_before(&cache(100, 60, 10), &cache(100, 60, 20)));
        assert!(goes_before(&cache(100, 60, 10), &cache(300, 60, 600)), "an hour of compiling is worth some disk");
        let unknown = Cache { last_used_ms: None, rebuild_ms: None, ..cache(1, 0, 0) };
        assert!(goes_before(&unknown, &cache(100, 60, 10)), "what nobody used goes before what somebody did");
    }

    #[test]
    fn no_more_go_than_are_needed_and_none_in_use() {
        let used = Cache { in_use: true, ..cache(50, 9, 1) };
        let caches = vec![used, cache(100, 8, 1), cache(100, 7, 1), cache(100, 6, 1)];
        let freed = |bytes| until_freed(removable(caches.clone()), bytes).len();
        assert_eq!([freed(0), freed(1), freed(100), freed(101), freed(1000)], [0, 1, 1, 2, 3]);
        assert_eq!((excess(&caches, 350), excess(&caches, 300)), (0, 50));
    }
}

//! A group's lines forwards from a position, in order, and on as they come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;

use ids::DeploymentId;

use super::group::{Filter, Group};
use super::position::{Place, Position};
use super::readers::{Batch, Growing};
use super::tail::Backward;
use super::{Follower, Record, to_wire};

/// Bytes read of one log before the others get their turn.
const TURN: usize = 256 << 10;
/// Bytes given out at a time.
const BATCH: usize = 256 << 10;
/// Bytes looked through at a time.
const SCAN: usize = 8 << 20;

/// Follows all logs of a group.
pub(crate) struct Merge {
    group: Group,
    filter: Filter,
    logs: BTreeMap<DeploymentId, Log>,
    /// Workloads of which nothing more comes.
    over: BTreeSet<DeploymentId>,
    /// The latest place of any line given.
    high: Option<Place>,
}

struct Log {
    follower: Follower,
    /// Read and asked for, not given out yet.
    queue: VecDeque<Record>,
    /// Whether there was nothing more to read.
    drained: bool,
    /// Whether, before the last look at it, more could come.
    open: bool,
}

impl Merge {
    pub(crate) fn after(group: Group, filter: Filter, position: &Position) -> io::Result<Self> {
        let mut merge =
            Self { group, filter, logs: BTreeMap::new(), over: BTreeSet::new(), high: position.high.clone() };
        for workload in merge.unknown()? {
            if let Some(log) = merge.start(&workload, position)? {
                merge.logs.insert(workload, log);
            } else {
                merge.over.insert(workload);
            }
        }
        Ok(merge)
    }

    /// How to go on with a log; not at all when all of it has been given.
    fn start(&self, workload: &DeploymentId, position: &Position) -> io::Result<Option<Log>> {
        let directory = self.group.log(workload);
        let open = self.group.is_open(workload)?;
        if let Some(number) = position.of(workload) {
            return Ok(Some(Log::new(Follower::after(directory, number), open)));
        }
        // A complete position names every workload that was open: this one is new.
        let new = open && position.open.is_some();
        let Some(high) = position.high.as_ref().filter(|_| !new) else {
            return Ok(Some(Log::new(Follower::after(directory, 0), open)));
        };
        if !open && Backward::new(&directory)?.newest_ms().is_none_or(|newest| newest < high.at_ms) {
            return Ok(None);
        }
        // The place is another workload's: its number says nothing of this one.
        let given = |record: &Record| (record.at_ms, workload) <= (high.at_ms, &high.workload);
        Ok(Some(Log::new(Follower::from(directory, high.at_ms, given)?, open)))
    }

    /// Workloads asked for that have come since the last look.
    fn unknown(&self) -> io::Result<Vec<DeploymentId>> {
        let mut found = self.group.workloads()?;
        let known = |id: &DeploymentId| self.logs.contains_key(id) || self.over.contains(id);
        found.retain(|workload| self.filter.concerns(workload) && !known(workload));
        Ok(found)
    }

    /// Takes the next lines in order. Whether more may be there.
    fn take(&mut self) -> io::Result<(Vec<(DeploymentId, Record)>, bool)> {
        let (mut taken, mut size, mut scanned) = (Vec::new(), 0, 0);
        loop {
            for log in self.logs.values_mut().filter(|log| log.queue.is_empty() && !log.drained) {
                if scanned >= SCAN {
                    return Ok((taken, true));
                }
                scanned += log.fill(&self.filter)?;
            }
            if self.logs.values().any(|log| log.queue.is_empty() && !log.drained) {
                continue;
            }
            // Places of different workloads are never the same.
            let heads = self.logs.iter_mut().filter(|(_, log)| !log.queue.is_empty());
            let Some((workload, log)) = heads.min_by_key(|(_, log)| log.queue[0].at_ms) else {
                return Ok((taken, false));
            };
            if let Some(record) = log.queue.pop_front() {
                size += record.size();
                taken.push((workload.clone(), record));
            }
            if size >= BATCH {
                return Ok((taken, true));
            }
        }
    }

    /// Up to which number each log has been given.
    fn given(&self) -> BTreeMap<DeploymentId, u64> {
        self.logs.iter().map(|(workload, log)| (workload.clone(), log.given())).collect()
    }
}

impl Growing for Merge {
    fn read(&mut self) -> io::Result<Batch> {
        let mut position = Position { high: self.high.take(), open: Some(self.given()) };
        for (workload, log) in &mut self.logs {
            // Before the look at it: what was written until it ended is seen then.
            log.open = self.group.is_open(workload)?;
            log.drained = false;
        }
        let (taken, mut more) = self.take()?;
        // After it: a workload whose lines may belong before those just read has its name in
        // their positions.
        for workload in self.unknown()? {
            let follower = Follower::after(self.group.log(&workload), 0);
            self.logs.insert(workload.clone(), Log::new(follower, true));
            position.open.get_or_insert_default().insert(workload, 0);
            more = true;
        }
        let given = taken.into_iter().map(|(workload, record)| {
            let place = Place { at_ms: record.at_ms, workload: workload.clone(), number: record.number };
            if let Some(last) = position.open.as_mut().and_then(|open| open.get_mut(&workload)) {
                *last = record.number;
            }
            position.high = position.high.take().max(Some(place));
            to_wire(&workload, record, position.to_string())
        });
        let records = given.collect();
        self.high = position.high;
        let over = &mut self.over;
        self.logs.retain(|workload, log| {
            let done = !log.open && log.drained && log.queue.is_empty();
            if done {
                over.insert(workload.clone());
            }
            !done
        });
        Ok(Batch { records, more })
    }

    fn directories(&self) -> Vec<PathBuf> {
        let logs = self.logs.iter().filter(|(_, log)| log.open);
        logs.map(|(workload, _)| self.group.log(workload)).chain(self.group.awaited()).collect()
    }
}

impl Log {
    fn new(follower: Follower, open: bool) -> Self {
        Self { follower, queue: VecDeque::new(), drained: false, open }
    }

    /// Reads on, for one turn at most. Bytes that were read.
    fn fill(&mut self, filter: &Filter) -> io::Result<usize> {
        let records = self.follower.read(TURN)?;
        self.drained = records.is_empty();
        let mut size = 0;
        for record in records {
            size += record.size();
            if filter.keeps(&record) {
                self.queue.push_back(record);
            }
        }
        Ok(size)
    }

    fn given(&self) -> u64 {
        self.queue.front().map_or(self.follower.last(), |record| record.number.saturating_sub(1))
    }
}

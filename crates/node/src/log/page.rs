//! A group's lines backwards from their end or from a place, a page at a time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;

use ids::WorkloadId;
use wire::{LogPage, LogRecord};

use super::group::{Filter, Group};
use super::position::{Place, Position};
use super::tail::Backward;
use super::{Record, to_wire};

/// Bytes of log that are looked through for one page: about a tenth of a second's work.
const SCAN: usize = 32 << 20;

/// One workload's log, with the next line of it.
struct Head {
    place: Place,
    lines: Backward,
    /// Absent while the log has not been looked at: its lines are not later than `place`.
    record: Option<(Record, usize)>,
}

/// The last lines before a place that are asked for.
struct Pager<'a> {
    filter: &'a Filter,
    before: Option<Place>,
    heads: BinaryHeap<Head>,
}

/// The last `limit` lines before `before`, oldest first. There may be more when it has a `next`.
pub(crate) fn page(group: &Group, filter: &Filter, before: Option<Place>, limit: usize) -> io::Result<LogPage> {
    let newest = before.is_none() && filter.until_ms.is_none();
    let mut pager = Pager { filter, before, heads: BinaryHeap::new() };
    let mut open = BTreeMap::new();
    for workload in group.workloads()?.into_iter().filter(|workload| filter.concerns(workload)) {
        if newest && group.is_open(&workload)? {
            // What comes after this look at it is for whoever goes on after this page.
            let mut lines = Backward::new(&group.log(&workload))?;
            let record = lines.next()?;
            open.insert(workload.clone(), record.as_ref().map_or(0, |(record, _)| record.number));
            pager.put(&workload, lines, record);
        } else {
            pager.put_unseen(&workload, Backward::new(&group.log(&workload))?);
        }
    }
    let mut found = Vec::new();
    let (mut high, mut last, mut scanned) = (None, None, 0);
    let mut more = false;
    while let Some((place, record, read)) = pager.next()? {
        scanned += read;
        high.get_or_insert_with(|| place.clone());
        if filter.keeps(&record) {
            found.push((place.workload.clone(), record));
        }
        last = Some(place);
        if found.len() >= limit || scanned >= SCAN {
            more = !pager.heads.is_empty();
            break;
        }
    }
    found.reverse();
    let position = newest.then(|| Position { high, open: Some(open.clone()) }.to_string());
    let records = with_positions(found, newest.then_some(open));
    Ok(LogPage { records, next: last.filter(|_| more).map(|last| last.to_string()), position })
}

/// Gives each line the position after it. Of an older page a place says enough: all is on disk.
fn with_positions(found: Vec<(WorkloadId, Record)>, open: Option<BTreeMap<WorkloadId, u64>>) -> Vec<LogRecord> {
    let mut position = Position { high: None, open };
    if let Some(open) = &mut position.open {
        for (workload, record) in found.iter().rev() {
            // In the end, the number before the first one on this page.
            open.entry(workload.clone()).and_modify(|last| *last = record.number.saturating_sub(1));
        }
    }
    let given = found.into_iter().map(|(workload, record)| {
        if let Some(last) = position.open.as_mut().and_then(|open| open.get_mut(&workload)) {
            *last = record.number;
        }
        position.high = Some(Place { at_ms: record.at_ms, workload: workload.clone(), number: record.number });
        to_wire(&workload, record, position.to_string())
    });
    given.collect()
}

impl Pager<'_> {
    /// The latest line that is left; with how many bytes were read for it.
    fn next(&mut self) -> io::Result<Option<(Place, Record, usize)>> {
        while let Some(Head { place, mut lines, record }) = self.heads.pop() {
            if self.filter.since_ms.is_some_and(|since| place.at_ms < since) {
                // And so are all before it in its log.
                continue;
            }
            let Some((record, read)) = record else {
                let until =
                    self.filter.until_ms.into_iter().chain(self.before.as_ref().map(|before| before.at_ms)).min();
                if let Some(until) = until {
                    lines.skip_from(until);
                }
                let record = lines.next()?;
                self.put(&place.workload, lines, record);
                continue;
            };
            let next = lines.next()?;
            self.put(&place.workload, lines, next);
            let late = self.before.as_ref().is_some_and(|before| place >= *before)
                || self.filter.until_ms.is_some_and(|until| place.at_ms >= until);
            if !late {
                return Ok(Some((place, record, read)));
            }
        }
        Ok(None)
    }

    fn put(&mut self, workload: &WorkloadId, lines: Backward, record: Option<(Record, usize)>) {
        if let Some((at_ms, number)) = record.as_ref().map(|(record, _)| (record.at_ms, record.number)) {
            self.heads.push(Head { place: Place { at_ms, workload: workload.clone(), number }, lines, record });
        }
    }

    /// A log that is looked at when its turn comes.
    fn put_unseen(&mut self, workload: &WorkloadId, lines: Backward) {
        if let Some(at_ms) = lines.newest_ms() {
            let place = Place { at_ms, workload: workload.clone(), number: u64::MAX };
            self.heads.push(Head { place, lines, record: None });
        }
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Head {}

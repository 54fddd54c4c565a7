//! Several workloads that write at once, start, die and end, and one who reads all of them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ids::{LogStream, ProjectId, WorkloadId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wire::{LogQuery, LogRecord};

use crate::layout::{Layout, LogKind};
use crate::log::{Filter, Group, Growing, Merge, Place, Position, Writer, page, segments};

/// Keeps all lines of a run, in several segments.
const LOG_BYTES: u64 = 320 << 10;
const LONG: usize = 12_000;

struct World {
    _directory: tempfile::TempDir,
    group: Group,
    writers: BTreeMap<WorkloadId, Writer>,
    built: Vec<WorkloadId>,
    clock_ms: i64,
    /// How many lines were written.
    written: usize,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned()).unwrap();
        let group = Group::new(layout, ProjectId::new());
        Self {
            _directory: directory,
            group,
            writers: BTreeMap::new(),
            built: Vec::new(),
            clock_ms: 1_000_000,
            written: 0,
        }
    }

    /// A deployment that is built, and has no process yet.
    fn build(&mut self) {
        let id = WorkloadId::from(&ids::DeploymentId::new());
        std::fs::create_dir_all(self.group.layout.log(&self.group.group, &id, LogKind::Build)).unwrap();
        self.built.push(id);
    }

    fn start(&mut self) -> WorkloadId {
        let id = self.built.pop().unwrap_or_else(|| WorkloadId::from(&ids::DeploymentId::new()));
        self.clock_ms += 1;
        std::fs::create_dir_all(self.group.layout.run(&id)).unwrap();
        std::fs::create_dir_all(self.group.log(&id)).unwrap();
        self.restart(&id);
        id
    }

    fn restart(&mut self, id: &WorkloadId) {
        if let Some(mut before) = self.writers.remove(id) {
            before.flush().unwrap();
        }
        self.writers.insert(id.clone(), Writer::open(&self.group.log(id), LOG_BYTES).unwrap());
    }

    fn end(&mut self, id: &WorkloadId) {
        self.flush(id);
        self.writers.remove(id);
        std::fs::remove_dir(self.group.layout.run(id)).unwrap();
        self.clock_ms += 1;
    }

    fn line(&mut self, id: &WorkloadId, length: usize) {
        let text = format!("{} {}", self.written, "x".repeat(length));
        self.writers.get_mut(id).unwrap().line_at(self.clock_ms, LogStream::Out, text);
        self.written += 1;
    }

    fn flush(&mut self, id: &WorkloadId) {
        self.writers.get_mut(id).unwrap().flush().unwrap();
        // The times of files are those of this world, and a little behind.
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(self.clock_ms as u64 - 4);
        for segment in segments(&self.group.log(id)).unwrap() {
            let file = std::fs::File::options().append(true).open(&segment.path).unwrap();
            if segment.newest_ms() > self.clock_ms + 1000 {
                file.set_modified(at).unwrap();
            }
        }
    }

    fn flush_all(&mut self) {
        for id in self.writers.keys().cloned().collect::<Vec<_>>() {
            self.flush(&id);
        }
    }

    fn page(&self, query: &LogQuery) -> wire::LogPage {
        let before = query.before.as_deref().map(|place| Place::parse(place).unwrap());
        page(&self.group, &Filter::new(query), before, query.limit.unwrap_or(1000)).unwrap()
    }

    fn merge(&self, position: &str) -> Merge {
        let position = Position::parse(position).unwrap();
        assert!(position.open.is_some());
        Merge::after(self.group.clone(), Filter::default(), &position).unwrap()
    }
}

/// Everything that is there now.
fn drain(merge: &mut Merge) -> Vec<LogRecord> {
    let mut records = Vec::new();
    loop {
        let batch = merge.read().unwrap();
        records.extend(batch.records);
        if !batch.more {
            return records;
        }
    }
}

/// Which lines these are, in the order of their clocks.
fn sorted(records: &[LogRecord]) -> Vec<usize> {
    let numbers = records.iter().map(|record| record.text.split(' ').next().unwrap().parse().unwrap());
    let mut numbers = numbers.collect::<Vec<_>>();
    numbers.sort_unstable();
    numbers
}

/// One step of the world, or of its reader.
fn step(world: &mut World, random: &mut StdRng, merge: Option<&mut Merge>, seen: &mut Vec<LogRecord>) {
    world.clock_ms += random.random_range(0..3);
    let running = world.writers.keys().cloned().collect::<Vec<_>>();
    let any = running.get(random.random_range(0..running.len().max(1)));
    match (random.random_range(0..20), any) {
        (0, _) | (_, None) if running.len() < 4 => drop(world.start()),
        (19, _) => world.build(),
        (1, Some(id)) => world.end(id),
        (2, Some(id)) => world.restart(id),
        (3..12, Some(id)) => world.line(id, if random.random_bool(0.3) { LONG } else { 3 }),
        (12..17, Some(id)) => world.flush(id),
        _ => {
            if let Some(merge) = merge {
                seen.extend(merge.read().unwrap().records);
            }
        }
    }
}

#[test]
fn whoever_resumes_after_any_line_misses_none_and_gets_none_twice() {
    for seed in 0..30 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World::new();
        let mut seen = Vec::new();
        for _ in 0..random.random_range(0..60) {
            step(&mut world, &mut random, None, &mut seen);
        }
        let page = world.page(&LogQuery { limit: Some(10), ..LogQuery::default() });
        seen.extend(page.records);
        let mut merge = world.merge(&page.position.unwrap());
        for _ in 0..120 {
            step(&mut world, &mut random, Some(&mut merge), &mut seen);
        }
        world.flush_all();
        seen.extend(drain(&mut merge));
        for (index, record) in seen.iter().enumerate() {
            let rest = drain(&mut world.merge(&record.id));
            assert_eq!(sorted(&rest), sorted(&seen[index + 1..]), "seed {seed}, after {index}: {}", record.id);
        }
        let numbers = sorted(&seen);
        assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}");
        // Besides what was there before the page.
        assert_eq!(numbers.len().min(10), world.written.min(10), "seed {seed}");
    }
}

#[test]
fn a_late_line_of_a_draining_release_reaches_a_reader_who_resumes_just_then() {
    let mut world = World::new();
    let (old, new) = (world.start(), world.start());
    let position = world.page(&LogQuery::default()).position.unwrap();
    let mut merge = world.merge(&position);
    world.line(&old, 3);
    world.clock_ms += 5;
    world.line(&new, 3);
    world.flush(&new);
    let seen = drain(&mut merge);
    assert_eq!(seen.len(), 1);
    world.end(&old);
    let late = drain(&mut world.merge(&seen[0].id));
    assert_eq!(sorted(&late), [0]);
    assert!(drain(&mut world.merge(&late[0].id)).is_empty());
}

#[test]
fn pages_backwards_have_every_line_once_and_in_order() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World::new();
        for _ in 0..150 {
            step(&mut world, &mut random, None, &mut Vec::new());
        }
        world.flush_all();
        let mut query = LogQuery { limit: Some(7), ..LogQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = world.page(&query);
            assert!(page.records.is_sorted_by_key(|record| (record.at_ms, record.workload.clone())));
            found.splice(0..0, page.records);
            query.before = page.next;
            if query.before.is_none() {
                break;
            }
        }
        assert!(found.is_sorted_by_key(|record| (record.at_ms, record.workload.clone())), "seed {seed}");
        let all = (0..world.written).collect::<Vec<_>>();
        assert_eq!(sorted(&found), all, "seed {seed}");
    }
}

#[test]
fn a_page_has_what_was_asked_for() {
    let mut world = World::new();
    let (one, two) = (world.start(), world.start());
    let from = world.clock_ms;
    for n in 0..100 {
        world.clock_ms += 10;
        world.line(if n % 2 == 0 { &one } else { &two }, n % 5);
    }
    world.writers.get_mut(&two).unwrap().line_at(world.clock_ms, LogStream::Err, "ÄRGER".into());
    world.flush_all();
    let count = |query: LogQuery| world.page(&query).records.len();
    let all = LogQuery::default();
    assert_eq!(count(all.clone()), 101);
    assert_eq!(count(LogQuery { deployment: one.base().parse().ok(), ..all.clone() }), 50);
    assert_eq!(count(LogQuery { stream: Some(LogStream::Err), ..all.clone() }), 1);
    assert_eq!(count(LogQuery { search: Some("ärger".into()), ..all.clone() }), 1);
    assert_eq!(count(LogQuery { search: Some("XXXX".into()), ..all.clone() }), 20);
    let (since_ms, until_ms) = (Some(from + 100), Some(from + 200));
    assert_eq!(count(LogQuery { since_ms, until_ms, ..all.clone() }), 10);
    assert_eq!(count(LogQuery { since_ms: Some(i64::MAX), ..all.clone() }), 0);
    assert_eq!(count(LogQuery { until_ms: Some(0), ..all }), 0);
}

#[test]
fn a_build_that_begins_to_run_is_not_taken_for_over() {
    let mut world = World::new();
    world.build();
    let mut merge = world.merge(&world.page(&LogQuery::default()).position.unwrap());
    assert!(drain(&mut merge).is_empty());
    let watched = merge.directories();
    let id = world.start();
    let log = world.group.log(&id);
    assert!(log.ancestors().take(2).any(|path| watched.iter().any(|it| it == path)), "{watched:?}");
    world.line(&id, 3);
    world.flush(&id);
    assert_eq!(sorted(&drain(&mut merge)), [0]);
}

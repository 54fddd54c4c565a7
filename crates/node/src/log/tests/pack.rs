//! Packed segments read like plain ones, whenever they were packed and whatever crashed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ids::{DeploymentId, LogStream, ProjectId, WorkloadId};

use super::{backwards, both, forwards, name, newest};
use crate::layout::{Layout, LogKind};
use crate::log::{Bounds, Follower, Writer, pack, segment, tail, trim};

/// Begins a segment after every 64 KB.
fn writer(log: &Path) -> Writer {
    Writer::open(log, 256 << 10).unwrap()
}

fn write(writer: &mut Writer, lines: u64) {
    let text = "some words of no great length ".repeat(30);
    for n in 0..lines {
        writer.line(LogStream::Out, format!("{n} {text}"));
        writer.flush().unwrap();
    }
}

fn packed(log: &Path) -> Vec<bool> {
    segment::all(log).unwrap().iter().map(|segment| segment.packed).collect()
}

fn numbers(records: &[super::Record]) -> Vec<u64> {
    records.iter().map(|record| record.number).collect()
}

fn size(log: &Path) -> u64 {
    segment::all(log).unwrap().iter().map(|segment| segment.path.metadata().unwrap().len()).sum()
}

#[test]
fn a_packed_log_reads_as_before_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    write(&mut writer, 200);
    let before = both(dir.path());
    let large = size(dir.path());
    assert!(pack(dir.path()).unwrap());
    // Not the one that is written to.
    assert_eq!(packed(dir.path()), [true, true, false]);
    assert_eq!(both(dir.path()), before);
    assert!(size(dir.path()) < large / 2);
    write(&mut writer, 1);
    assert_eq!(both(dir.path()).len(), 201);
    drop(writer);
    assert!(pack(dir.path()).unwrap());
    assert_eq!(packed(dir.path()), [true; 3]);
    assert!(!pack(dir.path()).unwrap());
    for after in [0, 1, 70, 71, 150, 200, 201] {
        assert_eq!(numbers(&forwards(dir.path(), after)), (after + 1..=201).collect::<Vec<_>>());
    }
    assert_eq!(numbers(&tail(dir.path(), 30, |_| true).unwrap()), (172..=201).collect::<Vec<_>>());
    write(&mut self::writer(dir.path()), 1);
    assert_eq!(both(dir.path()).last().unwrap().number, 202);
    assert_eq!(packed(dir.path()), [true, true, true, false]);
}

#[test]
fn a_packed_segment_is_as_old_as_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut writer(dir.path()), 20);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().append(true).open(newest(dir.path())).unwrap().set_modified(at).unwrap();
    assert!(pack(dir.path()).unwrap());
    assert_eq!(newest(dir.path()).metadata().unwrap().modified().unwrap(), at);
}

#[test]
fn whatever_a_crash_left_every_line_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut writer(dir.path()), 200);
    let before = both(dir.path());
    // While it was written.
    std::fs::write(dir.path().join(segment::PART), b"half of it").unwrap();
    assert_eq!(both(dir.path()), before);
    // After it got its name, before the plain one went.
    let plain = dir.path().join(name(1, false));
    let bytes = std::fs::read(&plain).unwrap();
    assert!(pack(dir.path()).unwrap());
    std::fs::write(&plain, &bytes).unwrap();
    assert_eq!(both(dir.path()), before);
    assert!(!pack(dir.path()).unwrap());
    assert!(!plain.exists() && !dir.path().join(segment::PART).exists());
    assert_eq!(both(dir.path()), before);
    // The same with the newest one, which somebody then goes on after.
    let first = segment::all(dir.path()).unwrap().last().unwrap().first;
    let unpacked = zstd::decode_all(std::fs::File::open(dir.path().join(name(first, true))).unwrap()).unwrap();
    std::fs::write(dir.path().join(name(first, false)), unpacked).unwrap();
    write(&mut writer(dir.path()), 1);
    let numbers = numbers(&both(dir.path()));
    assert_eq!(numbers, (1..=201).collect::<Vec<_>>());
}

#[test]
fn who_reads_while_it_is_packed_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = Writer::open(dir.path(), 64 << 20).unwrap();
            write(&mut writer, 20_000);
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                pack(dir.path()).unwrap();
            }
        });
        let mut follower = Follower::after(dir.path().to_owned(), 0);
        let mut next = 1;
        loop {
            let over = done.load(Ordering::Acquire);
            let records = follower.read(10_000).unwrap();
            for record in &records {
                assert_eq!(record.number, next);
                next += 1;
            }
            if next % 50 == 0 {
                // One who begins anew.
                follower = Follower::after(dir.path().to_owned(), next - 1);
            }
            if over && records.is_empty() {
                break;
            }
        }
        assert_eq!(next, 20_001);
    });
    assert!(packed(dir.path()).contains(&true));
    assert_eq!(numbers(&backwards(dir.path())), (1..=20_000).collect::<Vec<_>>());
}

struct Project {
    _directory: tempfile::TempDir,
    layout: Layout,
    group: ProjectId,
}

impl Project {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned()).unwrap();
        Self { _directory: directory, layout, group: ProjectId::new() }
    }

    fn log(&self, kind: LogKind) -> PathBuf {
        self.log_of(&WorkloadId::from(&DeploymentId::new()), kind)
    }

    fn log_of(&self, id: &WorkloadId, kind: LogKind) -> PathBuf {
        let log = self.layout.log(&self.group, id, kind);
        std::fs::create_dir_all(&log).unwrap();
        log
    }

    fn trim(&self, bytes: u64, age: Duration, now: SystemTime) {
        trim(&self.layout, &self.group, Bounds { bytes, age }, now).unwrap();
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn a_project_keeps_within_its_bytes_and_the_oldest_go_first() {
    let project = Project::new();
    let (old, young, running) = (project.log(LogKind::Job), project.log(LogKind::Build), project.log(LogKind::Run));
    for log in [&old, &young] {
        write(&mut writer(log), 150);
        pack(log).unwrap();
    }
    let mut writer = writer(&running);
    write(&mut writer, 150);
    for (age, log) in [(3, &old), (2, &young), (4, &running)] {
        for segment in segment::all(log).unwrap() {
            let file = std::fs::File::options().append(true).open(segment.path).unwrap();
            file.set_modified(SystemTime::now() - age * DAY).unwrap();
        }
    }
    let total = || size(&old) + size(&young) + size(&running);
    let (all, last) = (total(), newest(&running));
    project.trim(all, 10 * DAY, SystemTime::now());
    assert_eq!(total(), all);
    // What runs wrote the oldest of all, and that stays for as long as there is something else.
    let (both_over, whole) = (size(&old) + size(&young), size(&running));
    project.trim(all - both_over * 3 / 4, 10 * DAY, SystemTime::now());
    assert!(total() <= all - both_over * 3 / 4 && size(&running) == whole, "{} of {all}", total());
    assert!(size(&old) == 0 && size(&young) > 0, "{} {}", size(&old), size(&young));
    project.trim(whole / 2, 10 * DAY, SystemTime::now());
    assert!(total() <= whole / 2 && size(&young) == 0 && last.exists(), "{} of {whole}", total());
    project.trim(0, 10 * DAY, SystemTime::now());
    assert_eq!(segment::all(&running).unwrap().len(), 1);
    write(&mut writer, 1);
    assert!(both(&running).last().unwrap().text.starts_with("0 "));
}

#[test]
fn what_is_too_old_goes_with_its_directories() {
    let project = Project::new();
    let process = WorkloadId::process(&DeploymentId::new(), &"worker".parse().unwrap());
    let over = [project.log_of(&process, LogKind::Run), project.log(LogKind::Job), project.log(LogKind::Build)];
    let running = project.log(LogKind::Run);
    for log in &over {
        write(&mut writer(log), 20);
        pack(log).unwrap();
    }
    let running_writer = writer(&running);
    let now = SystemTime::now();
    project.trim(u64::MAX, DAY, now);
    assert!(over.iter().all(|log| both(log).len() == 20));
    project.trim(u64::MAX, DAY, now + 2 * DAY);
    assert!(over.iter().all(|log| !log.exists() && !log.parent().unwrap().exists()), "{over:?}");
    assert!(newest(&running).exists());
    drop(running_writer);
    project.trim(u64::MAX, DAY, now + 2 * DAY);
    assert!(!project.layout.group_logs(&project.group).exists());
    assert!(project.layout.logs().exists());
}

//! Logs of this machine: of the node's own program, of cloud-init, of Docker's containers, and of our units in the
//! systemd journal, merged by time.
//!
//! Each stream of lines has a reader that goes backwards and forwards from a [`Place`], a boundary between two of its
//! lines. A cursor names one for each stream, so that what is read on from it neither skips nor repeats a line, also
//! when lines have the same time, come late, or come while somebody reads.

mod command;
mod cursor;
mod docker;
mod files;
mod follow;
mod journal;
mod own;
mod page;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ids::{LogLevel, MachineLogSource};
use tokio::sync::Semaphore;
use wire::{MachineLogEntry, MachineLogQuery};

use crate::layout::Layout;
use crate::log::Readers;
pub(crate) use command::output;
use cursor::Key;
pub(crate) use docker::{DOCKER, Listed, list};
pub(crate) use follow::Refused;
use journal::JournalCursor;
pub use own::OwnLog;

/// Those who follow at a time: each asks the journal and Docker every few seconds.
const FOLLOWERS: usize = 16;

/// Where the logs of this machine lie, and how to read them.
pub(crate) struct MachineLogs {
    /// The node's own, as segments.
    own: PathBuf,
    /// The directory of cloud-init's.
    cloud_init: PathBuf,
    /// How long a command may take.
    timeout: Duration,
    readers: Readers,
    key: Key,
    followers: Arc<Semaphore>,
}

/// Lines in an order of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Agent,
    /// What cloud-init says of itself.
    CloudInit,
    /// What the programs say that it ran.
    CloudInitOutput,
    Docker,
    Systemd,
}

/// A boundary between two lines of a stream, or at an end of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Before all lines.
    Start,
    /// Before the line of this number, or that begins at this byte.
    Line(u64),
    /// Before or after an entry of the journal.
    Journal { cursor: JournalCursor, after: bool },
    /// Before the lines of this time, in microseconds: of a stream that had none.
    Since(i64),
    /// Before this line of Docker's.
    Docker(docker::Key),
}

/// A line, and the boundaries on both its sides.
#[derive(Debug)]
struct Found {
    entry: MachineLogEntry,
    before: Place,
    after: Place,
}

/// Lines before a place, newest first.
#[derive(Debug)]
struct Older {
    found: Vec<Found>,
    /// The place, or where the stream ended when it was looked at.
    head: Place,
    /// Up to where it was looked through.
    end: Place,
    /// There may be more before `end`.
    more: bool,
    /// What of it could not be read, and why.
    note: Option<String>,
}

/// Lines after a place, oldest first.
#[derive(Debug)]
struct Newer {
    found: Vec<Found>,
    /// Up to where it was looked through.
    end: Place,
    /// There is more after `end`.
    more: bool,
}

/// Which lines are asked for.
#[derive(Debug, Clone)]
struct Filter {
    source: Option<MachineLogSource>,
    level: Option<LogLevel>,
    container: Option<String>,
    unit: Option<String>,
    /// In lower case.
    search: Option<String>,
    since_us: Option<i64>,
    until_us: Option<i64>,
}

impl Stream {
    const ALL: [Self; 5] = [Self::Agent, Self::CloudInit, Self::CloudInitOutput, Self::Docker, Self::Systemd];

    fn source(self) -> MachineLogSource {
        match self {
            Self::Agent => MachineLogSource::Agent,
            Self::CloudInit | Self::CloudInitOutput => MachineLogSource::CloudInit,
            Self::Docker => MachineLogSource::Docker,
            Self::Systemd => MachineLogSource::Systemd,
        }
    }

    /// Whether looking for new lines costs no process.
    fn is_cheap(self) -> bool {
        matches!(self, Self::Agent | Self::CloudInit | Self::CloudInitOutput)
    }
}

impl Filter {
    fn new(query: &MachineLogQuery) -> Self {
        let us = |ms: Option<i64>| ms.map(|ms| ms.saturating_mul(1000));
        Self {
            source: query.source,
            level: query.level,
            container: query.container.clone(),
            unit: query.unit.clone(),
            search: query.search.as_deref().map(str::to_lowercase),
            since_us: us(query.since_ms),
            until_us: us(query.until_ms),
        }
    }

    fn streams(&self) -> Vec<Stream> {
        let wanted = |stream: &Stream| self.source.is_none_or(|source| stream.source() == source);
        Stream::ALL.into_iter().filter(wanted).collect()
    }

    fn keeps(&self, entry: &MachineLogEntry) -> bool {
        // Levels are declared from what matters most on.
        self.level.is_none_or(|least| entry.level as u8 <= least as u8)
            && self.since_us.is_none_or(|since| entry.at_us >= since)
            && self.until_us.is_none_or(|until| entry.at_us < until)
            && self.search.as_ref().is_none_or(|search| {
                let holds = |text: &String| text.to_lowercase().contains(search);
                holds(&entry.message) || entry.metadata.values().any(holds)
            })
    }
}

impl MachineLogs {
    pub(crate) fn new(layout: &Layout, cloud_init: PathBuf, timeout: Duration, readers: Readers) -> io::Result<Self> {
        Ok(Self {
            own: layout.own_log(),
            cloud_init,
            timeout,
            readers,
            key: Key::load(layout)?,
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
        })
    }

    /// The last `limit` lines before `place`, or before now.
    ///
    /// # Errors
    /// Why the stream cannot be read, as a sentence for a person.
    async fn older(
        &self,
        stream: Stream,
        place: Option<Place>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Older, String> {
        match stream {
            Stream::Agent => {
                let (directory, filter) = (self.own.clone(), filter.clone());
                self.work(move || own::older(&directory, place.as_ref(), &filter, limit)).await
            }
            Stream::CloudInit | Stream::CloudInitOutput => {
                let (file, filter) = (files::File::of(stream, &self.cloud_init), filter.clone());
                self.work(move || file.older(place.as_ref(), &filter, limit)).await?.ok_or_else(|| self.no_cloud_init())
            }
            Stream::Docker => docker::older(place.as_ref(), filter, limit, self.timeout).await,
            Stream::Systemd => {
                journal::older(&journal::of_units(filter), place.as_ref(), filter, limit, self.timeout).await
            }
        }
    }

    /// The next lines after `place`, a bounded number of them.
    ///
    /// # Errors
    /// As above.
    async fn newer(&self, stream: Stream, place: Place, filter: &Filter) -> Result<Newer, String> {
        match stream {
            Stream::Agent => {
                let (directory, filter) = (self.own.clone(), filter.clone());
                self.work(move || own::newer(&directory, &place, &filter)).await
            }
            Stream::CloudInit | Stream::CloudInitOutput => {
                let (file, filter) = (files::File::of(stream, &self.cloud_init), filter.clone());
                self.work(move || file.newer(&place, &filter)).await
            }
            Stream::Docker => docker::newer(&place, filter, self.timeout).await,
            Stream::Systemd => journal::newer(&journal::of_units(filter), &place, filter, self.timeout).await,
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        self.readers.work(work).await.map_err(|error| error.to_string())
    }

    fn no_cloud_init(&self) -> String {
        format!("{} has no logs of cloud-init", self.cloud_init.display())
    }
}

/// Where a follower begins in a stream that cannot be read yet.
fn nowhere(stream: Stream) -> Place {
    let now_ms = crate::now_ms();
    match stream {
        Stream::Agent | Stream::CloudInit | Stream::CloudInitOutput => Place::Line(0),
        Stream::Docker => Place::Docker(docker::Key::at(now_ms)),
        Stream::Systemd => Place::Since(now_ms.saturating_mul(1000)),
    }
}

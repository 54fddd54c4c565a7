//! What comes, after what was there last: for those who watch.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use ids::MachineLogSource;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use wire::{MachineLogEvent, MachineLogQuery, UnavailableSource};

use super::cursor::{Cursor, NoCursor};
use super::{Filter, Found, MachineLogs, Newer, Place, Stream, nowhere};
use crate::Agent;

/// How often files are looked at: less than a person notices.
const LOOK: Duration = Duration::from_millis(400);
/// How often a command is asked.
const ASK: Duration = Duration::from_secs(2);

/// Where somebody stands who follows; see [`MachineLogs::follower`].
pub(crate) struct Follower {
    filter: Filter,
    places: Vec<(Stream, Place)>,
    /// What was there before, oldest first.
    first: Vec<(Stream, Found)>,
    /// Where each stream was looked at for them.
    heads: Vec<(Stream, Place)>,
    unavailable: Vec<UnavailableSource>,
    _permit: OwnedSemaphorePermit,
}

/// Why nobody follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    NoCursor,
    TooMany,
}

impl From<NoCursor> for Refused {
    fn from(_: NoCursor) -> Self {
        Self::NoCursor
    }
}

impl MachineLogs {
    /// Begins with the last `query.limit` lines, or after `query.cursor`.
    pub(crate) async fn follower(&self, query: &MachineLogQuery) -> Result<Follower, Refused> {
        let permit = self.followers.clone().try_acquire_owned().map_err(|_| Refused::TooMany)?;
        let filter = Filter::new(query);
        if let Some(text) = &query.cursor {
            let Cursor { since_us, places } = Cursor::open(text, &self.key, &filter)?;
            let filter = Filter { since_us, ..filter };
            let (first, heads) = (Vec::new(), Vec::new());
            return Ok(Follower { filter, places, first, heads, unavailable: Vec::new(), _permit: permit });
        }
        let merged = self.merge(&[], &filter, query.limit).await;
        let mut first = merged.found;
        first.reverse();
        let mut heads = merged.heads;
        for stream in filter.streams() {
            if !heads.iter().any(|(of, _)| *of == stream) {
                heads.push((stream, nowhere(stream)));
            }
        }
        let places = heads.iter().map(|(stream, head)| {
            let first = first.iter().find(|(of, _)| of == stream);
            (*stream, first.map_or_else(|| head.clone(), |(_, found)| found.before.clone()))
        });
        let places = places.collect();
        Ok(Follower { filter, places, first, heads, unavailable: merged.unavailable, _permit: permit })
    }

    /// What comes next of each of these streams, and which of them cannot be read.
    async fn next(
        &self,
        follower: &Follower,
        streams: impl Fn(Stream) -> bool,
    ) -> (Vec<(Stream, Newer)>, Vec<UnavailableSource>) {
        let places = follower.places.iter().filter(|(stream, _)| streams(*stream)).cloned();
        let reads =
            places.map(|(stream, place)| async move { (stream, self.newer(stream, place, &follower.filter).await) });
        let (mut read, mut unavailable) = (Vec::new(), Vec::new());
        for (stream, newer) in join_all(reads).await {
            match newer {
                Ok(newer) => read.push((stream, newer)),
                Err(reason) => unavailable.push(UnavailableSource { source: stream.source(), reason }),
            }
        }
        (read, unavailable)
    }
}

/// Nobody listens any more.
struct Gone;

/// To whom a follower speaks, as JSON lines.
struct Listener<'a> {
    logs: &'a MachineLogs,
    chunks: mpsc::Sender<std::io::Result<Bytes>>,
    /// What was last said of a source that cannot be read.
    told: Vec<UnavailableSource>,
}

impl Agent {
    /// Sends what there is, and then what comes, until nobody listens.
    pub(crate) async fn follow_machine_logs(&self, follower: Follower, chunks: mpsc::Sender<std::io::Result<Bytes>>) {
        let mut listener = Listener { logs: self.machine_logs(), chunks: chunks.clone(), told: Vec::new() };
        tokio::select! {
            _ = listener.follow(follower) => {}
            () = chunks.closed() => {}
        }
    }
}

impl Listener<'_> {
    async fn follow(&mut self, mut follower: Follower) -> Result<(), Gone> {
        self.tell_unavailable(std::mem::take(&mut follower.unavailable), |_| true).await?;
        let mut count = follower.first.len();
        if !follower.heads.is_empty() {
            let id = follower.id(self.logs);
            self.say(MachineLogEvent::Begin { id }).await?;
        }
        for (stream, found) in std::mem::take(&mut follower.first) {
            self.entry(&mut follower, stream, found).await?;
        }
        for (stream, head) in std::mem::take(&mut follower.heads) {
            follower.moved(stream, head);
        }
        // After a cursor, and what came meanwhile.
        count += self.look(&mut follower, |_| true).await?;
        let id = follower.id(self.logs);
        self.say(MachineLogEvent::CaughtUp { id, count }).await?;
        let mut asked = Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            let ask = asked.elapsed() >= ASK;
            if ask {
                asked = Instant::now();
            }
            self.look(&mut follower, |stream| ask || stream.is_cheap()).await?;
        }
    }

    /// Sends all that is new in some streams; how many lines that is.
    async fn look(&mut self, follower: &mut Follower, streams: impl Fn(Stream) -> bool) -> Result<usize, Gone> {
        let mut count = 0;
        loop {
            let (read, unavailable) = self.logs.next(follower, &streams).await;
            self.tell_unavailable(unavailable, |source| {
                Stream::ALL.iter().any(|it| it.source() == source && streams(*it))
            })
            .await?;
            let more = read.iter().any(|(_, newer)| newer.more);
            let mut lines = Vec::new();
            let mut ends = Vec::new();
            for (stream, newer) in read {
                count += newer.found.len();
                lines.push((stream, VecDeque::from(newer.found)));
                ends.push((stream, newer.end));
            }
            while let Some((stream, found)) = earliest(&mut lines) {
                self.entry(follower, stream, found).await?;
            }
            for (stream, end) in ends {
                follower.moved(stream, end);
            }
            if !more {
                return Ok(count);
            }
        }
    }

    async fn entry(&mut self, follower: &mut Follower, stream: Stream, found: Found) -> Result<(), Gone> {
        follower.moved(stream, found.after);
        let id = follower.id(self.logs);
        self.say(MachineLogEvent::Entry { id, entry: found.entry }).await
    }

    /// Says once what cannot be read, and again when that is another reason.
    async fn tell_unavailable(
        &mut self,
        now: Vec<UnavailableSource>,
        looked_at: impl Fn(MachineLogSource) -> bool,
    ) -> Result<(), Gone> {
        let before = std::mem::take(&mut self.told);
        for unavailable in &now {
            if !before.contains(unavailable) {
                self.say(MachineLogEvent::Unavailable { unavailable: unavailable.clone() }).await?;
            }
        }
        self.told = before.into_iter().filter(|told| !looked_at(told.source)).chain(now).collect();
        Ok(())
    }

    async fn say(&self, event: MachineLogEvent) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(&event).unwrap_or_default();
        line.push(b'\n');
        self.chunks.send(Ok(line.into())).await.map_err(|_| Gone)
    }
}

impl Follower {
    fn moved(&mut self, stream: Stream, place: Place) {
        if let Some((_, at)) = self.places.iter_mut().find(|(of, _)| *of == stream) {
            *at = place;
        }
    }

    fn id(&self, logs: &MachineLogs) -> String {
        Cursor { since_us: self.filter.since_us, places: self.places.clone() }.seal(&logs.key, &self.filter)
    }
}

/// By time, but each stream in its own order: an id says up to where a stream has been given.
fn earliest(lines: &mut [(Stream, VecDeque<Found>)]) -> Option<(Stream, Found)> {
    let heads = lines.iter_mut().filter(|(_, lines)| !lines.is_empty());
    let (stream, lines) = heads.min_by_key(|(_, lines)| lines.front().map(|found| found.entry.at_us))?;
    Some((*stream, lines.pop_front()?))
}

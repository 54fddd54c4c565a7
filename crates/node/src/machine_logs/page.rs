//! Pages of all streams together, newest first.

use std::collections::VecDeque;

use futures_util::future::join_all;
use wire::{MachineLogPage, MachineLogQuery, UnavailableSource};

use super::cursor::{Cursor, NoCursor};
use super::{Filter, Found, MachineLogs, Older, Place, Stream};

/// The newest lines before a cursor, of all streams.
pub(super) struct Merged {
    /// Newest first.
    pub(super) found: Vec<(Stream, Found)>,
    /// Where each stream was looked at from.
    pub(super) heads: Vec<(Stream, Place)>,
    /// Before which each stream has not been given.
    pub(super) ends: Vec<(Stream, Place)>,
    pub(super) more: bool,
    pub(super) unavailable: Vec<UnavailableSource>,
}

/// A stream while it is merged with others.
struct Head {
    stream: Stream,
    found: VecDeque<Found>,
    head: Place,
    /// Before which it has not been given.
    given: Place,
    /// Up to where it was looked through.
    end: Place,
    more: bool,
}

impl MachineLogs {
    /// The last lines before `query.cursor`, or before now.
    ///
    /// # Errors
    /// When the cursor is none of this node's, or of another query.
    pub(crate) async fn page(&self, query: &MachineLogQuery) -> Result<MachineLogPage, NoCursor> {
        let mut filter = Filter::new(query);
        let mut places = Vec::new();
        if let Some(text) = &query.cursor {
            let cursor = Cursor::open(text, &self.key, &filter)?;
            // `-1h` is later on each page.
            filter.since_us = cursor.since_us;
            places = cursor.places;
        }
        let merged = self.merge(&places, &filter, query.limit).await;
        let cursor = Cursor { since_us: filter.since_us, places: merged.ends };
        Ok(MachineLogPage {
            entries: merged.found.into_iter().map(|(_, found)| found.entry).collect(),
            next: merged.more.then(|| cursor.seal(&self.key, &filter)),
            unavailable: merged.unavailable,
        })
    }

    /// The last `limit` lines before `places`; before now where that is empty.
    pub(super) async fn merge(&self, places: &[(Stream, Place)], filter: &Filter, limit: usize) -> Merged {
        let place = |stream| places.iter().find(|(of, _)| *of == stream).map(|(_, place)| place.clone());
        let streams = filter.streams().into_iter().map(|stream| async move {
            match place(stream) {
                Some(Place::Start) => (stream, None),
                // One more tells whether there is more.
                place => (stream, Some((place.clone(), self.older(stream, place, filter, limit + 1).await))),
            }
        });
        let mut unavailable = Vec::new();
        let mut heads = Vec::new();
        let mut missing = Vec::new();
        for (stream, read) in join_all(streams).await {
            match read {
                None => missing.push((stream, Place::Start)),
                Some((place, Err(reason))) => {
                    unavailable.push(UnavailableSource { source: stream.source(), reason });
                    missing.push((stream, place.unwrap_or(Place::Start)));
                }
                Some((_, Ok(Older { found, head, end, more, note }))) => {
                    unavailable.extend(note.map(|reason| UnavailableSource { source: stream.source(), reason }));
                    let given = head.clone();
                    heads.push(Head { stream, found: found.into(), head, given, end, more });
                }
            }
        }
        // One of the two files may well be missing.
        let is_read = |source| heads.iter().any(|head: &Head| head.stream.source() == source);
        unavailable.retain(|it| it.source == ids::MachineLogSource::Docker || !is_read(it.source));
        unavailable.dedup();
        let found = take(&mut heads, limit);
        let more = heads.iter().any(|head| head.more || !head.found.is_empty());
        let starts = heads.iter().map(|head| (head.stream, head.head.clone())).collect();
        let ends = heads.into_iter().map(|head| (head.stream, head.rest())).chain(missing).collect();
        Merged { found, heads: starts, ends, more, unavailable }
    }
}

/// The newest lines, until one stream would have to be looked through further.
fn take(heads: &mut [Head], limit: usize) -> Vec<(Stream, Found)> {
    let mut taken = Vec::new();
    while taken.len() < limit && !heads.iter().any(|head| head.more && head.found.is_empty()) {
        let newest = heads.iter_mut().filter(|head| !head.found.is_empty());
        // Of lines of the same time, always those of the same stream come first.
        let Some(head) = newest.max_by_key(|head| head.found.front().map(|found| found.entry.at_us)) else { break };
        if let Some(found) = head.found.pop_front() {
            head.given = found.before.clone();
            taken.push((head.stream, found));
        }
    }
    taken
}

impl Head {
    /// Where the next page goes on.
    fn rest(self) -> Place {
        match (self.found.is_empty(), self.more) {
            (false, _) => self.given,
            (true, true) => self.end,
            (true, false) => Place::Start,
        }
    }
}

//! Wakes readers when something changes in a directory. One inotify instance serves all of
//! them: a user may have some 128 of these, and no thread waits for any.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use inotify::{EventMask, EventStream, Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::sync::Notify;

/// Bytes of events taken at once.
const EVENTS: usize = 16 << 10;

#[derive(Clone)]
pub(super) struct Watcher {
    inner: Arc<Inner>,
}

struct Inner {
    watched: Mutex<Watched>,
}

struct Watched {
    watches: Watches,
    /// Whom to wake, by what they watch.
    readers: HashMap<WatchDescriptor, Vec<Arc<Notify>>>,
}

/// Wakes its reader for as long as it is held.
pub(super) struct Watch {
    inner: Arc<Inner>,
    watch: WatchDescriptor,
    wake: Arc<Notify>,
}

impl Watcher {
    /// Within a tokio runtime, whose reactor it uses.
    pub(super) fn start() -> io::Result<Self> {
        let events = Inotify::init()?.into_event_stream([0; EVENTS])?;
        let watched = Watched { watches: events.watches(), readers: HashMap::new() };
        let inner = Arc::new(Inner { watched: Mutex::new(watched) });
        tokio::spawn(wake(events, inner.clone()));
        Ok(Self { inner })
    }

    /// Wakes `wake` when something changes in the directory `path`: a file in it, or what is in
    /// it. While it is not there, when it may have come.
    pub(super) fn watch(&self, path: &Path, wake: &Arc<Notify>) -> io::Result<Watch> {
        let mask =
            WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::DELETE_SELF | WatchMask::ONLYDIR;
        let mut watched = self.inner.lock();
        let mut at = path.to_owned();
        loop {
            let watch = match watched.watches.add(&at, mask) {
                Ok(watch) => watch,
                Err(error) if error.kind() == io::ErrorKind::NotFound && at.pop() => continue,
                Err(error) => return Err(error),
            };
            watched.readers.entry(watch.clone()).or_default().push(wake.clone());
            // It may have come between the two looks.
            if let Some(below) = below(&at, path).filter(|below| below.exists()) {
                watched.remove(&watch, wake);
                at = below;
                continue;
            }
            return Ok(Watch { inner: self.inner.clone(), watch, wake: wake.clone() });
        }
    }
}

/// Tells everybody for whom there is news.
async fn wake(mut events: EventStream<[u8; EVENTS]>, inner: Arc<Inner>) {
    while let Some(event) = events.next().await {
        let Ok(event) = event.inspect_err(|error| tracing::warn!(%error, "logs cannot be watched")) else { return };
        let watched = inner.lock();
        // When too much happened at once, anything may have.
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            watched.readers.values().flatten().for_each(|reader| reader.notify_one());
        } else if let Some(readers) = watched.readers.get(&event.wd) {
            readers.iter().for_each(|reader| reader.notify_one());
        }
    }
}

/// The next directory on the way from `at` to `path`.
fn below(at: &Path, path: &Path) -> Option<PathBuf> {
    Some(at.join(path.strip_prefix(at).ok()?.components().next()?))
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn remove(&mut self, watch: &WatchDescriptor, wake: &Arc<Notify>) {
        let Some(readers) = self.readers.get_mut(watch) else { return };
        if let Some(index) = readers.iter().position(|reader| Arc::ptr_eq(reader, wake)) {
            readers.swap_remove(index);
        }
        if readers.is_empty() {
            self.readers.remove(watch);
            // A directory that is gone takes its watch with it.
            let _ = self.watches.remove(watch.clone());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.inner.lock().remove(&self.watch, &self.wake);
    }
}

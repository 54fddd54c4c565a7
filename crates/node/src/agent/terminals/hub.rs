//! Who looks at a terminal at the moment, and whose window it fills.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use wire::attach::Size;

/// Notices that a viewer may be behind with; who is further behind is told the newest.
const NOTICES: usize = 16;

/// Something that all who look hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// The size, or who has the keyboard: whoever hears of it asks how it is by then.
    Changed,
    Name(String),
}

pub(in crate::agent) struct Hub {
    state: Mutex<State>,
    notices: broadcast::Sender<Notice>,
    next: AtomicU64,
    used_at_ms: AtomicI64,
    is_attended: AtomicBool,
}

#[derive(Default)]
struct State {
    viewers: Vec<(u64, Option<Size>)>,
    /// Who typed last decides the size.
    keyboard: Option<u64>,
    size: Option<Size>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            notices: broadcast::Sender::new(NOTICES),
            next: AtomicU64::new(1),
            used_at_ms: AtomicI64::new(0),
            is_attended: AtomicBool::new(false),
        }
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody looks; one who only watches has no say in the size.
    pub(super) fn join(&self, size: Option<Size>) -> (u64, broadcast::Receiver<Notice>) {
        let viewer = self.next.fetch_add(1, Ordering::Relaxed);
        let notices = self.notices.subscribe();
        self.change(|state| state.viewers.push((viewer, size)));
        (viewer, notices)
    }

    /// Whether nobody waits for its end yet; from now on somebody does.
    pub(super) fn attend(&self) -> bool {
        !self.is_attended.swap(true, Ordering::Relaxed)
    }

    pub(super) fn leave(&self, viewer: u64) {
        self.change(|state| {
            state.viewers.retain(|(id, _)| *id != viewer);
            if state.keyboard == Some(viewer) {
                state.keyboard = None;
            }
        });
    }

    /// Changes who looks or types. All hear of it when another one has the keyboard then.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.answers();
        let result = change(&mut state);
        if state.answers() != before {
            let _ = self.notices.send(Notice::Changed);
        }
        result
    }

    /// The last one that a viewer has decided.
    pub(super) fn size(&self) -> Option<Size> {
        self.lock().size
    }

    /// Absent for one who only watches.
    pub(super) fn has_keyboard(&self, viewer: u64) -> Option<bool> {
        let state = self.lock();
        let types = state.viewers.iter().any(|(id, size)| *id == viewer && size.is_some());
        types.then(|| state.answers() == Some(viewer))
    }

    pub(super) fn viewers(&self) -> u32 {
        u32::try_from(self.lock().viewers.len()).unwrap_or(u32::MAX)
    }

    pub(in crate::agent) fn used_at_ms(&self) -> Option<i64> {
        Some(self.used_at_ms.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    pub(super) fn renamed(&self, name: &str) {
        let _ = self.notices.send(Notice::Name(name.to_owned()));
    }

    /// It types, and has the keyboard from now on. The size to change the terminal to, if it has another one.
    pub(super) fn types(&self, viewer: u64) -> Option<Size> {
        self.used_at_ms.store(crate::now_ms(), Ordering::Relaxed);
        self.change(|state| {
            if state.keyboard == Some(viewer) {
                return None;
            }
            state.keyboard = Some(viewer);
            let size = state.viewers.iter().find(|(id, _)| *id == viewer).and_then(|(_, size)| *size)?;
            self.apply(state, size)
        })
    }

    /// Its window has another size; as above.
    pub(super) fn resizes(&self, viewer: u64, size: Size) -> Option<Size> {
        let mut state = self.lock();
        let known = state.viewers.iter_mut().find(|(id, _)| *id == viewer);
        // Who only watches has none.
        let known = known.and_then(|(_, known)| known.as_mut())?;
        *known = size;
        let decides = state.keyboard.is_none_or(|keyboard| keyboard == viewer);
        if decides { self.apply(&mut state, size) } else { None }
    }

    fn apply(&self, state: &mut State, size: Size) -> Option<Size> {
        if state.size.replace(size) == Some(size) {
            return None;
        }
        let _ = self.notices.send(Notice::Changed);
        Some(size)
    }
}

impl State {
    /// Who has the keyboard: who typed last, else the first who could.
    fn answers(&self) -> Option<u64> {
        let first = || self.viewers.iter().find(|(_, size)| size.is_some()).map(|(id, _)| *id);
        self.keyboard.or_else(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { rows: 24, columns: 80 };

    fn heard(notices: &mut broadcast::Receiver<Notice>) -> usize {
        std::iter::from_fn(|| notices.try_recv().ok()).filter(|notice| *notice == Notice::Changed).count()
    }

    #[test]
    fn who_types_decides_the_size() {
        let small = SMALL;
        let large = Size { rows: 50, columns: 200 };
        let hub = Hub::default();
        let (one, mut notices) = hub.join(Some(small));
        let (two, _) = hub.join(Some(large));
        let (watcher, _) = hub.join(None);
        assert_eq!(hub.size(), None);
        heard(&mut notices);
        assert_eq!(hub.resizes(one, small), Some(small));
        assert_eq!(heard(&mut notices), 1);
        assert_eq!(hub.types(one), None);
        assert_eq!(hub.resizes(two, large), None);
        assert_eq!(hub.resizes(watcher, large), None);
        assert_eq!((hub.size(), heard(&mut notices)), (Some(small), 0));
        assert_eq!(hub.types(two), Some(large));
        assert_eq!(hub.types(two), None);
        assert_eq!(hub.size(), Some(large));
        hub.leave(two);
        heard(&mut notices);
        assert_eq!(hub.resizes(one, small), Some(small));
        assert_eq!((hub.size(), heard(&mut notices)), (Some(small), 1));
        assert_eq!(hub.viewers(), 2);
    }

    #[test]
    fn one_viewer_has_the_keyboard() {
        let hub = Hub::default();
        let (watcher, mut notices) = hub.join(None);
        assert_eq!(heard(&mut notices), 0, "nobody could type");
        let (one, _) = hub.join(Some(SMALL));
        assert_eq!(heard(&mut notices), 1);
        let (two, _) = hub.join(Some(SMALL));
        let keyboards = || [watcher, one, two].map(|viewer| hub.has_keyboard(viewer));
        assert_eq!(keyboards(), [None, Some(true), Some(false)], "who came first");
        hub.resizes(one, SMALL);
        heard(&mut notices);
        hub.types(one);
        assert_eq!(heard(&mut notices), 0, "it had it before");
        hub.types(two);
        assert_eq!(keyboards(), [None, Some(false), Some(true)], "who typed last");
        heard(&mut notices);
        hub.types(two);
        assert_eq!(heard(&mut notices), 0);
        hub.leave(two);
        assert_eq!(heard(&mut notices), 1);
        assert_eq!(keyboards(), [None, Some(true), None]);
        hub.leave(one);
        assert_eq!(heard(&mut notices), 1);
        assert_eq!(keyboards(), [None, None, None]);
    }
}

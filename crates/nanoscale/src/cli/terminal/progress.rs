//! How far a viewer has come in a terminal's output.

/// Output that may be on the screen before the server is told so.
const UNTOLD_MAX: u64 = 32 * 1024;

/// Offsets are bytes of output since the terminal began.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The next byte that is not on the screen yet; unknown before the first attaching.
    next: Option<u64>,
    told: u64,
    /// Older output ends here: who typed then has answered the queries in it.
    old_until: u64,
    /// The next frame draws the screen, and is no output.
    drawing: bool,
}

impl Progress {
    /// Where to go on after a broken connection.
    pub(super) fn next(&self) -> Option<u64> {
        self.next
    }

    /// The server begins at `from`. How many bytes are missed for good.
    pub(super) fn attached(&mut self, from: u64, end: u64, snapshot: bool) -> u64 {
        let missed = match self.next {
            Some(next) if !snapshot => from.saturating_sub(next),
            _ => 0,
        };
        *self = Self { next: Some(from), told: from, old_until: end, drawing: snapshot };
        missed
    }

    /// A frame of so many bytes is on the screen.
    pub(super) fn shown(&mut self, bytes: usize) {
        if std::mem::take(&mut self.drawing) {
            return;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.next = self.next.map(|next| next.saturating_add(bytes));
    }

    /// Whether what is on the screen was put out before this viewer came.
    pub(super) fn is_old(&self) -> bool {
        self.next.is_none_or(|next| next < self.old_until)
    }

    /// What to tell the server: at once when it is much, else when there is a moment.
    pub(super) fn untold(&mut self, idle: bool) -> Option<u64> {
        let next = self.next?;
        let untold = next.saturating_sub(self.told);
        (untold >= UNTOLD_MAX || idle && untold > 0).then(|| {
            self.told = next;
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_counted_and_drawings_are_not() {
        let mut progress = Progress::default();
        assert_eq!(progress.next(), None);
        assert_eq!(progress.attached(1000, 1000, true), 0);
        progress.shown(5000);
        assert_eq!((progress.next(), progress.is_old()), (Some(1000), false));
        progress.shown(24);
        assert_eq!(progress.next(), Some(1024));
        assert_eq!((progress.untold(false), progress.untold(true), progress.untold(true)), (None, Some(1024), None));
        progress.shown(40_000);
        assert_eq!(progress.untold(false), Some(41_024));
    }

    #[test]
    fn a_gap_is_told_and_old_output_known() {
        let mut progress = Progress::default();
        progress.attached(0, 0, false);
        progress.shown(100);
        assert_eq!(progress.attached(100, 150, false), 0);
        assert!(progress.is_old());
        progress.shown(50);
        assert!(!progress.is_old());
        assert_eq!(progress.attached(170, 170, false), 20);
        // A drawing shows what was missed.
        assert_eq!(progress.attached(500, 500, true), 0);
    }
}

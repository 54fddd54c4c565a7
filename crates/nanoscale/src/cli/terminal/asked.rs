//! Signals that end this program.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What ends this program, and would leave the terminal as the other machine has it.
pub(super) struct Asked {
    terminated: Signal,
    hung_up: Signal,
    /// From elsewhere: the keys that mean these are typed into the other machine.
    interrupted: Signal,
    quit: Signal,
}

impl Asked {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
            interrupted: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    pub(super) async fn come(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminated.recv() => SignalKind::terminate(),
            _ = self.hung_up.recv() => SignalKind::hangup(),
            _ = self.interrupted.recv() => SignalKind::interrupt(),
            _ = self.quit.recv() => SignalKind::quit(),
        }
    }
}

//! The terminal that this program runs in: raw while it is lent to another machine, and as it was afterwards.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Mutex, Once};

use rustix::termios::{self, OptionalActions, Termios};
use tokio::sync::mpsc;

/// Modes that a program elsewhere may have set and nobody would take back: other screen, mouse, focus and paste
/// reports, cursor keys, keypad, hidden cursor, colours.
const SOBER: &[u8] = b"\x1b[?1047l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\
    \x1b[?25h\x1b[0m\r\n";
/// Bytes that are read in one go.
const CHUNK: usize = 4096;
/// Chunks that wait to be sent.
const AHEAD: usize = 16;

/// How it was before, while it is raw.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Whether a person sits at both ends: what they type is theirs, and what comes is drawn.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Rows and columns, if there is a screen.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// A terminal that passes every key on. As it was when this is dropped, and when the program panics.
pub(super) struct Raw(());

impl Raw {
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        let before = termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *lock() = Some(before);
        HOOK.call_once(|| {
            let earlier = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                earlier(panic);
            }));
        });
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        Ok(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn restore() {
    let Some(before) = lock().take() else { return };
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(SOBER).and_then(|()| stdout.flush());
    // Drain: what was typed for the other machine is no command here.
    let _ = termios::tcsetattr(io::stdin(), OptionalActions::Flush, &before);
}

/// What is typed, until there is no more. Read by a thread of its own: one that waits for a key ends with the program.
pub(super) fn typed() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut chunk = vec![0; CHUNK];
        loop {
            match stdin.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    if sender.blocking_send(chunk[..count].to_vec()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receiver
}

/// Puts out what came; a reader that has gone is an error.
pub(super) fn draw(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Says something about the connection where it does not disturb what is drawn.
pub(super) fn title(text: &str) {
    if io::stdout().is_terminal() {
        let _ = draw(format!("\x1b]2;{text}\x07").as_bytes());
    }
}

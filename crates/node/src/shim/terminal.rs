//! A process with a terminal: its output is recorded, and sent to those who look at it; what they type goes in.
//! Everybody reads the record at their own pace, so nobody who is slow holds up anybody else.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox::WindowSize;
use wire::shim::{Exit, frame};

use super::pace::Pace;
use super::socket::{Attachment, Socket};
use crate::terminal::directory::Directory;
use crate::terminal::record::{Reader, Writer};

/// Read at once; the kernel gives out 4 KiB at most.
const TURN: usize = 16 << 10;
/// What comes soon after other output is sent together with what follows: every piece is work for all who pass it on.
const TOGETHER: Duration = Duration::from_millis(2);
/// So much is sent at once.
const PLENTY: u64 = 32 << 10;
/// The fastest viewer may be so far behind before the terminal waits, as any terminal does for its screen.
const AHEAD: u64 = 1 << 20;
/// What was typed and not read yet.
const INPUT: usize = 64 << 10;
/// Somebody may open the other side again.
const HUNG_UP: Duration = Duration::from_secs(1);
/// How long viewers have for the last output once the process has ended; the record has it anyway.
const FAREWELL: Duration = Duration::from_secs(5);

/// Somebody who looks at the terminal.
struct Viewer {
    stream: UnixStream,
    reader: Reader,
    /// Offset of what was not sent yet.
    next: u64,
    /// A frame on its way.
    frame: Vec<u8>,
    sent: usize,
    /// No frame is begun before, unless there is plenty for it.
    due: Instant,
    received: Vec<u8>,
    /// It types nothing, and nobody waits for it.
    watches: bool,
    /// Something came from it that was not read yet.
    is_heard: bool,
    /// What is sent after everything else.
    last: Option<Vec<u8>>,
    is_open: bool,
}

struct Terminal<'a> {
    child: &'a sandbox::Child,
    outer: &'a OwnedFd,
    record: Writer,
    pace: Pace,
    viewers: Vec<Viewer>,
    typed: Vec<u8>,
    /// Nobody has the other side open; it is looked again after a while.
    is_hung_up: bool,
}

/// What there is to do.
struct Woken {
    /// The process has ended.
    ended: bool,
    /// Somebody is at the socket.
    asked: bool,
}

/// Records and answers until the process has ended and those who look have seen it.
pub(super) fn attend(
    child: &sandbox::Child,
    outer: &OwnedFd,
    socket: &mut Socket,
    directory: &Directory,
    keep: u64,
    size: WindowSize,
) -> io::Result<Exit> {
    fcntl(outer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let record = Writer::create(directory, keep, size)?;
    let pace = Pace::new(Instant::now());
    let mut terminal =
        Terminal { child, outer, record, pace, viewers: Vec::new(), typed: Vec::new(), is_hung_up: false };
    loop {
        let Woken { ended, asked } = terminal.wait(socket)?;
        terminal.turn();
        let attachments = if asked { socket.serve(|signal| child.signal(signal)) } else { Vec::new() };
        for attachment in attachments {
            terminal.viewers.extend(Viewer::new(attachment, directory, &terminal.record));
        }
        if ended {
            let exit = super::told(child.wait()?);
            terminal.say_goodbye(&exit)?;
            return Ok(exit);
        }
    }
}

// === impl Terminal ===

impl Terminal<'_> {
    /// Waits for something to do.
    fn wait(&mut self, socket: &Socket) -> io::Result<Woken> {
        let (now, end) = (Instant::now(), self.record.bounds().end);
        let mut outer = PollFlags::empty();
        outer.set(PollFlags::POLLIN, !self.is_hung_up && self.may_read());
        outer.set(PollFlags::POLLOUT, !self.is_hung_up && !self.typed.is_empty());
        let mut fds = vec![PollFd::new(self.child.status.as_fd(), PollFlags::POLLIN)];
        // With nothing to ask for it would still say that the other side has gone, again and again.
        if !outer.is_empty() {
            fds.push(PollFd::new(self.outer.as_fd(), outer));
        }
        let asking = fds.len();
        fds.extend(socket.fds().into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let looking = fds.len();
        let takes_input = self.typed.len() < INPUT;
        let interests = self.viewers.iter().map(|viewer| viewer.interest(end, takes_input, now)).collect::<Vec<_>>();
        // The same for these: one that has gone is not heard before there is room for what it has typed.
        let is_awaited = |flags: &PollFlags| !flags.is_empty();
        let awaited = self.viewers.iter().zip(&interests).filter(|(_, flags)| is_awaited(flags));
        fds.extend(awaited.map(|(viewer, flags)| PollFd::new(viewer.fd(), *flags)));
        match poll(&mut fds, self.timeout(now)) {
            Err(Errno::EINTR) => return Ok(Woken { ended: false, asked: false }),
            result => self.is_hung_up &= result? != 0,
        }
        let came = fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        let came = came.map(|events| !events.difference(PollFlags::POLLOUT).is_empty()).collect::<Vec<_>>();
        let awaited = self.viewers.iter_mut().zip(&interests).filter(|(_, flags)| is_awaited(flags));
        for ((viewer, _), heard) in awaited.zip(&came[looking..]) {
            viewer.is_heard |= heard;
        }
        Ok(Woken { ended: came[0], asked: came[asking..looking].contains(&true) })
    }

    fn timeout(&self, now: Instant) -> PollTimeout {
        let end = self.record.bounds().end;
        let pace = self.pace.wait().filter(|_| self.fastest().is_none());
        let due = self.viewers.iter().filter_map(|viewer| viewer.wait(end, now));
        let pause = due.chain(pace).chain(self.is_hung_up.then_some(HUNG_UP)).min();
        // It counts milliseconds, and none would be no pause at all.
        let whole = |pause: Duration| (pause + Duration::from_nanos(999_999)).try_into().unwrap_or(PollTimeout::MAX);
        pause.map_or(PollTimeout::NONE, whole)
    }

    /// Whether its output has a place to go to: nobody's screen, at the pace of a log, or the fastest one.
    fn may_read(&self) -> bool {
        match self.fastest() {
            Some(next) => self.record.bounds().end.saturating_sub(next) < AHEAD,
            None => self.pace.is_open(),
        }
    }

    /// How far the first of those has come for whom the process waits.
    fn fastest(&self) -> Option<u64> {
        self.viewers.iter().filter(|viewer| !viewer.watches).map(|viewer| viewer.next).max()
    }

    fn turn(&mut self) {
        self.pace.fill(Instant::now());
        if self.may_read() {
            self.read();
        }
        let now = Instant::now();
        for viewer in &mut self.viewers {
            if let Some(size) = viewer.receive(&mut self.typed) {
                let _ = self.child.resize(size);
                let _ = self.record.resized(size);
            }
            viewer.send(self.record.bounds().end, now);
        }
        self.viewers.retain(|viewer| viewer.is_open);
        self.write();
    }

    /// Takes what the terminal has put out.
    fn read(&mut self) {
        let mut buffer = [0_u8; TURN];
        let mut filled = 0;
        while filled < TURN {
            match nix::unistd::read(self.outer, &mut buffer[filled..]) {
                Ok(count) if count > 0 => filled += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Ok(_) | Err(_) => {
                    self.is_hung_up = true;
                    break;
                }
            }
        }
        if filled > 0 {
            // Somebody's screen is a pace of its own: what it took is not owed once nobody looks.
            if self.fastest().is_none() {
                self.pace.take(filled);
            }
            // A full disk costs history, never the process.
            let _ = self.record.append(&buffer[..filled]);
        }
    }

    /// Passes on what was typed, as far as it is read.
    fn write(&mut self) {
        while !self.typed.is_empty() {
            match nix::unistd::write(self.outer, &self.typed) {
                Ok(count) => drop(self.typed.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => self.typed.clear(),
            }
        }
    }

    /// Records the rest, and has those who look see it, and how it ended.
    fn say_goodbye(&mut self, exit: &Exit) -> io::Result<()> {
        self.is_hung_up = false;
        let before = self.record.bounds().end;
        // What a terminal holds is little; what still writes to it goes on for nobody.
        while !self.is_hung_up && self.record.bounds().end < before + AHEAD {
            let end = self.record.bounds().end;
            self.read();
            if self.record.bounds().end == end {
                break;
            }
        }
        let last = frame::encode(frame::EXIT, &serde_json::to_vec(exit)?);
        let (deadline, end) = (Instant::now() + FAREWELL, self.record.bounds().end);
        for viewer in &mut self.viewers {
            viewer.last = Some(last.clone());
        }
        loop {
            for viewer in &mut self.viewers {
                viewer.send(end, Instant::now());
            }
            self.viewers.retain(|viewer| viewer.is_open && !viewer.has_all(end));
            let left = deadline.saturating_duration_since(Instant::now());
            if self.viewers.is_empty() || left.is_zero() {
                return Ok(());
            }
            let mut fds =
                self.viewers.iter().map(|viewer| PollFd::new(viewer.fd(), PollFlags::POLLOUT)).collect::<Vec<_>>();
            let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        }
    }
}

// === impl Viewer ===

impl Viewer {
    fn new(attachment: Attachment, directory: &Directory, record: &Writer) -> Option<Self> {
        let Attachment { mut stream, from, watches, received } = attachment;
        let bounds = record.bounds();
        let next = from.clamp(bounds.start, bounds.end);
        let answer = wire::shim::Answer::Attached { from: next, end: bounds.end };
        let mut line = serde_json::to_vec(&answer).ok()?;
        line.push(b'\n');
        stream.write_all(&line).ok()?;
        let reader = Reader::new(directory);
        let due = Instant::now();
        let (frame, sent, last) = (Vec::new(), 0, None);
        Some(Self { stream, reader, next, frame, sent, due, received, watches, is_heard: true, last, is_open: true })
    }

    fn interest(&self, end: u64, takes_input: bool, now: Instant) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, takes_input);
        flags.set(PollFlags::POLLOUT, self.sent < self.frame.len() || self.has_more(end) && self.is_due(end, now));
        flags
    }

    fn has_more(&self, end: u64) -> bool {
        self.next < end || self.last.is_some()
    }

    /// Whether a frame may be begun.
    fn is_due(&self, end: u64, now: Instant) -> bool {
        now >= self.due || end - self.next >= PLENTY || self.last.is_some()
    }

    /// How long there is something to send that is not due.
    fn wait(&self, end: u64, now: Instant) -> Option<Duration> {
        let waits = self.sent == self.frame.len() && self.has_more(end) && !self.is_due(end, now);
        waits.then(|| self.due.saturating_duration_since(now))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    fn has_all(&self, end: u64) -> bool {
        self.next >= end && self.sent == self.frame.len() && self.last.is_none()
    }

    /// Sends what it has not seen yet, as far as it is taken.
    fn send(&mut self, end: u64, now: Instant) {
        while self.is_open {
            if self.sent == self.frame.len() {
                if !self.is_due(end, now) || !self.load(end) {
                    return;
                }
                self.due = now + TOGETHER;
            }
            match self.stream.write(&self.frame[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.is_open = false,
            }
        }
    }

    /// Makes the next frame; whether there is one.
    fn load(&mut self, end: u64) -> bool {
        if self.next >= end {
            let Some(last) = self.last.take() else { return false };
            (self.frame, self.sent) = (last, 0);
            return true;
        }
        let left = usize::try_from(end - self.next).unwrap_or(frame::MAX);
        let mut buffer = vec![0; left.min(frame::MAX)];
        match self.reader.read(self.next, &mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.frame = frame::encode(frame::OUTPUT, &buffer[..count]);
                self.sent = 0;
                self.next += count as u64;
                true
            }
            // It was so slow that what it waits for has gone: it comes back and hears from where there is something.
            Err(_) => {
                self.is_open = false;
                false
            }
        }
    }

    /// What it types; the size it wants, if it wants another one.
    fn receive(&mut self, typed: &mut Vec<u8>) -> Option<WindowSize> {
        if !std::mem::take(&mut self.is_heard) {
            return None;
        }
        let mut buffer = [0_u8; 4096];
        let mut size = None;
        while self.is_open && typed.len() < INPUT {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_open = false,
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    size = self.take_frames(typed).or(size);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.is_open = false,
            }
        }
        // What came with the request to attach.
        self.take_frames(typed).or(size)
    }

    fn take_frames(&mut self, typed: &mut Vec<u8>) -> Option<WindowSize> {
        let mut size = None;
        let mut rest = self.received.as_slice();
        loop {
            match frame::decode(rest) {
                frame::Decoded::Frame { kind: frame::INPUT, payload, after } => {
                    typed.extend_from_slice(payload);
                    rest = after;
                }
                frame::Decoded::Frame { kind: frame::RESIZE, payload: &[a, b, c, d], after } => {
                    let (rows, columns) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                    size = Some(WindowSize { rows, columns });
                    rest = after;
                }
                // A kind of a later version.
                frame::Decoded::Frame { after, .. } => rest = after,
                frame::Decoded::Part => break,
                frame::Decoded::TooLong => {
                    self.is_open = false;
                    break;
                }
            }
        }
        self.received = rest.to_vec();
        size
    }
}

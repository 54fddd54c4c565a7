//! A process with a terminal: its output is recorded, and sent to those who look at it; what they type goes in.
//! Everybody reads the record at their own pace, so nobody who is slow holds up anybody else.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox::WindowSize;
use wire::shim::{Exit, frame};

use super::pace::Pace;
use super::socket::{Attachment, Socket};
use crate::terminal::record::{Reader, Writer};

/// Read at once.
const TURN: usize = 64 << 10;
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
    received: Vec<u8>,
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

/// Records and answers until the process has ended and those who look have seen it.
pub(super) fn attend(
    child: &sandbox::Child,
    outer: &OwnedFd,
    socket: &mut Socket,
    directory: &Path,
    keep: u64,
) -> io::Result<Exit> {
    fcntl(outer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    std::fs::create_dir(directory)?;
    let record = Writer::create(directory, keep)?;
    let pace = Pace::new(Instant::now());
    let mut terminal =
        Terminal { child, outer, record, pace, viewers: Vec::new(), typed: Vec::new(), is_hung_up: false };
    loop {
        let ended = terminal.wait(socket)?;
        terminal.turn();
        for attachment in socket.serve(|signal| child.signal(signal)) {
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
    /// Waits for something to do; whether the process has ended.
    fn wait(&mut self, socket: &Socket) -> io::Result<bool> {
        let pause = self.pace.wait().filter(|_| self.viewers.is_empty()).or(self.is_hung_up.then_some(HUNG_UP));
        let mut outer = PollFlags::empty();
        outer.set(PollFlags::POLLIN, !self.is_hung_up && self.may_read());
        outer.set(PollFlags::POLLOUT, !self.is_hung_up && !self.typed.is_empty());
        let mut fds = vec![PollFd::new(self.child.status.as_fd(), PollFlags::POLLIN)];
        // With nothing to ask for it would still say that the other side has gone, again and again.
        if !outer.is_empty() {
            fds.push(PollFd::new(self.outer.as_fd(), outer));
        }
        fds.extend(socket.fds().into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let takes_input = self.typed.len() < INPUT;
        fds.extend(self.viewers.iter().map(|viewer| viewer.interest(self.record.bounds().end, takes_input)));
        let timeout = pause.map_or(PollTimeout::NONE, |pause| pause.try_into().unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => Ok(false),
            result => {
                self.is_hung_up &= result? != 0;
                Ok(fds[0].revents().is_some_and(|events| !events.is_empty()))
            }
        }
    }

    /// Whether its output has a place to go to: nobody's screen, at the pace of a log, or the fastest one.
    fn may_read(&self) -> bool {
        match self.viewers.iter().map(|viewer| viewer.next).max() {
            Some(next) => self.record.bounds().end.saturating_sub(next) < AHEAD,
            None => self.pace.is_open(),
        }
    }

    fn turn(&mut self) {
        self.pace.fill(Instant::now());
        if self.may_read() {
            self.read();
        }
        for viewer in &mut self.viewers {
            viewer.receive(self.child, &mut self.typed);
            viewer.send(self.record.bounds().end);
        }
        self.viewers.retain(|viewer| viewer.is_open);
        self.write();
    }

    /// Takes what the terminal has put out.
    fn read(&mut self) {
        let mut buffer = [0_u8; TURN];
        match nix::unistd::read(self.outer, &mut buffer) {
            Ok(0) => self.is_hung_up = true,
            Ok(count) => {
                self.pace.take(count);
                // A full disk costs history, never the process.
                let _ = self.record.append(&buffer[..count]);
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => self.is_hung_up = true,
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
                viewer.send(end);
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
    fn new(attachment: Attachment, directory: &Path, record: &Writer) -> Option<Self> {
        let Attachment { mut stream, from, received } = attachment;
        let bounds = record.bounds();
        let next = from.clamp(bounds.start, bounds.end);
        let answer = wire::shim::Answer::Attached { from: next, end: bounds.end };
        let mut line = serde_json::to_vec(&answer).ok()?;
        line.push(b'\n');
        stream.write_all(&line).ok()?;
        let reader = Reader::new(directory);
        Some(Self { stream, reader, next, frame: Vec::new(), sent: 0, received, last: None, is_open: true })
    }

    fn interest(&self, end: u64, takes_input: bool) -> PollFd<'_> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, takes_input);
        flags.set(PollFlags::POLLOUT, self.sent < self.frame.len() || self.next < end);
        PollFd::new(self.fd(), flags)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    fn has_all(&self, end: u64) -> bool {
        self.next >= end && self.sent == self.frame.len() && self.last.is_none()
    }

    /// Sends what it has not seen yet, as far as it is taken.
    fn send(&mut self, end: u64) {
        while self.is_open {
            if self.sent == self.frame.len() && !self.load(end) {
                return;
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
        let mut buffer = [0_u8; frame::MAX];
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

    fn receive(&mut self, child: &sandbox::Child, typed: &mut Vec<u8>) {
        let mut buffer = [0_u8; 4096];
        while self.is_open && typed.len() < INPUT {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.is_open = false,
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    self.take_frames(child, typed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.is_open = false,
            }
        }
        // What came with the request to attach.
        self.take_frames(child, typed);
    }

    fn take_frames(&mut self, child: &sandbox::Child, typed: &mut Vec<u8>) {
        let mut rest = self.received.as_slice();
        loop {
            match frame::decode(rest) {
                frame::Decoded::Frame { kind: frame::INPUT, payload, after } => {
                    typed.extend_from_slice(payload);
                    rest = after;
                }
                frame::Decoded::Frame { kind: frame::RESIZE, payload: &[a, b, c, d], after } => {
                    let size = WindowSize { rows: u16::from_le_bytes([a, b]), columns: u16::from_le_bytes([c, d]) };
                    let _ = child.resize(size);
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
    }
}

use std::os::fd::BorrowedFd;

use domain::redaction::Redactor;
use ids::LogStream;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::pace::Pace;
use crate::log::Writer;

/// Longest line of a log; what is longer goes on in the next one.
const LINE_MAX: usize = 16 * 1024;
/// How much is copied from one pipe before the others, and the socket, get their turn.
const TURN: usize = 64 * 1024;
/// Most that a pipe can hold, unless root has changed pipe-max-size (pipe(7)).
const PIPE_MAX: usize = 1 << 20;
/// What a line takes on disk besides its text.
const LINE_COST: usize = 64;

/// One pipe of the process, cut into lines.
pub(super) struct Output<'a> {
    stream: LogStream,
    fd: BorrowedFd<'a>,
    open: bool,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
}

impl<'a> Output<'a> {
    pub(super) fn new(stream: LogStream, fd: BorrowedFd<'a>) -> std::io::Result<Self> {
        fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { stream, fd, open: true, rest: Vec::new() })
    }

    pub(super) fn open(&self) -> bool {
        self.open
    }

    pub(super) fn fd(&self) -> BorrowedFd<'a> {
        self.fd
    }

    /// Logs what the pipe holds, at its pace.
    pub(super) fn copy(&mut self, log: &mut Writer, redactor: &Redactor, pace: &mut Pace) {
        self.read(TURN, log, redactor, Some(pace));
    }

    /// Logs what a process left that has ended, also a last line without an end.
    pub(super) fn finish(&mut self, log: &mut Writer, redactor: &Redactor) {
        self.read(PIPE_MAX, log, redactor, None);
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.write(&rest, log, redactor);
        }
    }

    fn read(&mut self, max: usize, log: &mut Writer, redactor: &Redactor, mut pace: Option<&mut Pace>) {
        let mut buffer = [0_u8; 16 * 1024];
        let mut copied = 0;
        while self.open && copied < max && pace.as_ref().is_none_or(|pace| pace.is_open()) {
            match nix::unistd::read(self.fd, &mut buffer) {
                Ok(0) => self.open = false,
                Ok(count) => {
                    copied += count;
                    self.rest.extend_from_slice(&buffer[..count]);
                    let cost = self.cut(log, redactor);
                    if let Some(pace) = &mut pace {
                        pace.take(cost.max(count));
                    }
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => break,
                Err(_) => self.open = false,
            }
        }
    }

    /// Logs the whole lines; what they take.
    fn cut(&mut self, log: &mut Writer, redactor: &Redactor) -> usize {
        let mut cost = 0;
        let mut rest = std::mem::take(&mut self.rest);
        let mut start = 0;
        while let Some(length) = rest[start..].iter().position(|&byte| byte == b'\n') {
            cost += self.write(&rest[start..start + length], log, redactor);
            start += length + 1;
        }
        rest.drain(..start);
        if rest.len() > LINE_MAX {
            cost += self.write(&rest, log, redactor);
            rest.clear();
        }
        self.rest = rest;
        cost
    }

    fn write(&self, line: &[u8], log: &mut Writer, redactor: &Redactor) -> usize {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut cost = 0;
        for part in line.chunks(LINE_MAX).chain(line.is_empty().then_some(&[][..])) {
            log.line(self.stream, redactor.redact(String::from_utf8_lossy(part).into_owned()));
            cost += part.len() + LINE_COST;
        }
        cost
    }
}

use std::os::fd::BorrowedFd;

use domain::redaction::Redactor;
use ids::LogStream;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::log::Writer;

/// Longest line of a log; what is longer goes on in the next one.
const LINE_MAX: usize = 16 * 1024;
/// How much is copied from one pipe before the others get their turn.
const TURN: usize = 256 * 1024;

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

    /// Logs what the pipe holds.
    pub(super) fn copy(&mut self, log: &mut Writer, redactor: &Redactor) {
        let mut buffer = [0_u8; 16 * 1024];
        let mut copied = 0;
        while self.open && copied < TURN {
            match nix::unistd::read(self.fd, &mut buffer) {
                Ok(0) => self.open = false,
                Ok(count) => {
                    copied += count;
                    self.rest.extend_from_slice(&buffer[..count]);
                    self.cut(log, redactor);
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => break,
                Err(_) => self.open = false,
            }
        }
    }

    /// Logs a last line without an end.
    pub(super) fn finish(&mut self, log: &mut Writer, redactor: &Redactor) {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.write(&rest, log, redactor);
        }
    }

    fn cut(&mut self, log: &mut Writer, redactor: &Redactor) {
        let mut rest = std::mem::take(&mut self.rest);
        let mut start = 0;
        while let Some(length) = rest[start..].iter().position(|&byte| byte == b'\n') {
            self.write(&rest[start..start + length], log, redactor);
            start += length + 1;
        }
        rest.drain(..start);
        if rest.len() > LINE_MAX {
            self.write(&rest, log, redactor);
            rest.clear();
        }
        self.rest = rest;
    }

    fn write(&self, line: &[u8], log: &mut Writer, redactor: &Redactor) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        for part in line.chunks(LINE_MAX).chain(line.is_empty().then_some(&[][..])) {
            log.line(self.stream, redactor.redact(String::from_utf8_lossy(part).into_owned()));
        }
    }
}

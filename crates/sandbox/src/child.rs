//! The parent's handle on what runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{WaitId, WaitIdOptions};

use crate::spec::WindowSize;
use crate::terminal;

/// A started process. Dropping this closes the descriptors and leaves the process running.
#[derive(Debug)]
pub struct Child {
    /// The init of the process, not the process itself. It is a child of the caller, who
    /// has to reap it: [`Child::wait`], or on its own after [`Child::status`] has been read.
    pub pid: i32,
    /// Of the same init.
    pub pidfd: OwnedFd,
    pub output: Output,
    /// A stream socket to the init. To be read: [`Exit::SIZE`] bytes for [`Exit::decode`]
    /// when the process has ended, then the end of the stream. Each byte written is a
    /// signal number for the process.
    pub status: OwnedFd,
}

/// What the process writes, and reads where it has a terminal.
#[derive(Debug)]
pub enum Output {
    /// Each ends when no process of the sandbox is left that has it open.
    Pipes { stdout: OwnedFd, stderr: OwnedFd },
    /// Reading fails with `EIO` when no process of the sandbox is left that has it open. Closing it hangs up.
    Terminal(OwnedFd),
}

/// How the process itself ended; what it left running was killed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Child {
    /// Sends `signal` to the process itself, `SIGKILL` to its process group. Works for a caller that has given up root
    /// since, as the init passes it on. A process that has ended is `ESRCH`.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let number = u8::try_from(signal).ok().filter(|number| (1..=64).contains(number)).ok_or(Errno::INVAL)?;
        match rustix::net::send(&self.status, &[number], SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(Errno::SRCH.into()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Tells the process that its terminal has another size. Without a terminal `ENOTTY`.
    pub fn resize(&self, size: WindowSize) -> io::Result<()> {
        match &self.output {
            Output::Terminal(terminal) => Ok(terminal::resize(terminal, size)?),
            Output::Pipes { .. } => Err(Errno::NOTTY.into()),
        }
    }

    /// Waits for the end and reaps. Blocks; does not read the output, so a process that
    /// writes more than a pipe holds never ends if nobody else reads.
    pub fn wait(&self) -> io::Result<Exit> {
        let exit = Exit::decode(&read_to_end(&self.status)?);
        reap(&self.pidfd)?;
        Ok(exit)
    }
}

impl Exit {
    /// Length of an encoded exit.
    pub const SIZE: usize = 8;

    /// Decodes all that came from [`Child::status`]. Fewer than [`Exit::SIZE`] bytes mean
    /// that the init was killed, and the process with it.
    pub fn decode(bytes: &[u8]) -> Self {
        let Ok([a, b, c, d, e, f, g, h]) = <[u8; Self::SIZE]>::try_from(bytes) else {
            return Self::Signal(libc::SIGKILL);
        };
        let value = i32::from_le_bytes([e, f, g, h]);
        match i32::from_le_bytes([a, b, c, d]) {
            0 => Self::Code(value),
            _ => Self::Signal(value),
        }
    }

    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        let (kind, value) = match self {
            Self::Code(code) => (0_i32, code),
            Self::Signal(signal) => (1, signal),
        };
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..].copy_from_slice(&value.to_le_bytes());
        bytes
    }
}

pub(crate) fn read_to_end(fd: impl AsFd) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 512];
    loop {
        match rustix::io::read(fd.as_fd(), &mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(Errno::INTR) => {}
            // The other side of a socket died with bytes of ours unread.
            Err(Errno::CONNRESET) => return Ok(bytes),
            Err(errno) => return Err(errno),
        }
    }
}

pub(crate) fn reap(pidfd: &OwnedFd) -> Result<(), Errno> {
    match rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)) {
        // Reaped by somebody else, or by the kernel where the caller ignores SIGCHLD.
        Ok(_) | Err(Errno::CHILD) => Ok(()),
        Err(errno) => Err(errno),
    }
}

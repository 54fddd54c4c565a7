//! A terminal in place of pipes: made in the world of the process, so that it has its name there (pty(7)).

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Uid};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use rustix::pty::OpenptFlags;
use rustix::termios::{InputModes, OptionalActions, Winsize};

use crate::error::{Failure, Step};
use crate::spec::{Identity, WindowSize};

/// The side for the program, after the other one has been sent through `outlet` to the caller.
pub(crate) fn make(size: WindowSize, identity: Option<Identity>, outlet: &OwnedFd) -> Result<OwnedFd, Failure> {
    let make = || {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let outer = rustix::pty::openpt(flags)?;
        rustix::pty::unlockpt(&outer)?;
        let inner = rustix::pty::ioctl_tiocgptpeer(&outer, flags)?;
        let mut modes = rustix::termios::tcgetattr(&inner)?;
        // So that erasing a character erases all of its bytes.
        modes.input_modes |= InputModes::IUTF8;
        rustix::termios::tcsetattr(&inner, OptionalActions::Now, &modes)?;
        resize(&outer, size)?;
        if let Some(Identity { uid, gid }) = identity {
            // Else the program could not open it by its name.
            rustix::fs::fchown(&inner, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        send(outlet, &outer)?;
        Ok(inner)
    };
    make().map_err(Failure::of(Step::Terminal))
}

/// Makes it the terminal that the calling process's session is controlled by.
pub(crate) fn control(inner: &OwnedFd) -> Result<(), Failure> {
    rustix::process::ioctl_tiocsctty(inner).map_err(Failure::of(Step::Terminal))
}

pub(crate) fn resize(outer: &OwnedFd, size: WindowSize) -> Result<(), Errno> {
    let WindowSize { rows, columns } = size;
    rustix::termios::tcsetwinsize(outer, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
}

fn send(outlet: &OwnedFd, outer: &OwnedFd) -> Result<(), Errno> {
    let fds = [outer.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(outlet, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// The caller's side, which [`make`] has sent.
pub(crate) fn receive(inlet: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(inlet, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let sent = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    sent.ok_or(Errno::PROTO)
}

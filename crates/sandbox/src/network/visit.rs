//! The same for a network namespace that somebody else made: a container engine, for example.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc;
use std::thread;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::thread::LinkNameSpaceType;

use super::{Outlet, Outside};
use crate::error::{Error, Failure, Step};
use crate::spec::Network;

/// Sets a network namespace up as [`crate::spawn`] does its own, and gives out its sockets until this process ends. The caller may have
/// many threads: one of its own goes into the namespace and stays there. Returns when everything is there. Needs root.
///
/// The namespace keeps its link as long as it lives itself; the sockets go with this process.
pub fn serve_namespace(namespace: OwnedFd, network: Network) -> Result<(), Error> {
    let (ready, opened) = mpsc::channel();
    let visitor = thread::Builder::new().name("namespace".into()).spawn(move || match enter(&namespace, &network) {
        Ok(outlet) => {
            let _ = ready.send(Ok(()));
            outlet.iter().for_each(Outlet::serve);
        }
        Err(failure) => {
            let _ = ready.send(Err(failure));
        }
    });
    let failed = |failure: Failure| failure.into_error("");
    visitor
        .map_err(|error| failed(Failure::of(Step::Network)(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))))?;
    opened.recv().unwrap_or_else(|_| Err(Failure::of(Step::Network)(Errno::IO))).map_err(failed)
}

fn enter(namespace: &OwnedFd, network: &Network) -> Result<Option<Outlet>, Failure> {
    let outside = Outside::open(network)?;
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(Failure::of(Step::Namespaces))?;
    outside.connect(network)
}

impl Outlet {
    /// Gives out sockets for ever.
    fn serve(&self) {
        loop {
            let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => self.give_sockets(),
                Err(_) => return,
            }
        }
    }
}

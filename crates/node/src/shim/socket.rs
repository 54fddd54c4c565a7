use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use wire::shim::{Answer, Exit, Request, SHIM_PROTOCOL};

use crate::now_ms;

/// A request is a short line; a client that sends more is cut off.
const REQUEST_MAX: usize = 4096;

/// The shim's side of its socket.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    pid: i32,
    started_at_ms: i64,
    clients: Vec<Client>,
}

struct Client {
    stream: UnixStream,
    request: Vec<u8>,
    waits: bool,
    /// It wants to look at the terminal, from this offset on; and whether it types nothing.
    wants: Option<(u64, bool)>,
}

/// Somebody who wants to look at the terminal.
pub(super) struct Attachment {
    pub(super) stream: UnixStream,
    pub(super) from: u64,
    pub(super) watches: bool,
    /// What it has sent already.
    pub(super) received: Vec<u8>,
}

impl Socket {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        // A socket left by a shim that was killed.
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned(), pid: 0, started_at_ms: 0, clients: Vec::new() })
    }

    /// Before the first [`Socket::serve`].
    pub(super) fn started(&mut self, pid: i32) {
        (self.pid, self.started_at_ms) = (pid, now_ms());
    }

    pub(super) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        std::iter::once(self.listener.as_fd()).chain(self.clients.iter().map(|client| client.stream.as_fd())).collect()
    }

    /// Takes new clients and answers what they asked. Those that want to look at the terminal are the caller's from now on.
    pub(super) fn serve(&mut self, signal: impl Fn(i32) -> io::Result<()>) -> Vec<Attachment> {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client { stream, request: Vec::new(), waits: false, wants: None });
            }
        }
        let status = Answer::Status { protocol: SHIM_PROTOCOL, pid: self.pid, started_at_ms: self.started_at_ms };
        let mut attachments = Vec::new();
        let mut clients = std::mem::take(&mut self.clients);
        clients.retain_mut(|client| {
            let open = client.read();
            while let Some(end) = client.request.iter().position(|&byte| byte == b'\n') {
                let line = client.request.drain(..=end).collect::<Vec<_>>();
                let answer = match serde_json::from_slice(&line) {
                    Ok(Request::Status) => status.clone(),
                    Ok(Request::Signal { signal: number }) => match signal(number) {
                        Ok(()) => Answer::Ok,
                        Err(error) => Answer::Error { message: error.to_string() },
                    },
                    Ok(Request::Wait) => {
                        client.waits = true;
                        continue;
                    }
                    Ok(Request::Attach { from, watch }) => {
                        client.wants = Some((from, watch));
                        break;
                    }
                    Err(error) => Answer::Error { message: error.to_string() },
                };
                client.answer(&answer);
            }
            open && client.request.len() < REQUEST_MAX
        });
        for client in clients {
            match client.wants {
                Some((from, watches)) => {
                    attachments.push(Attachment { stream: client.stream, from, watches, received: client.request });
                }
                None => self.clients.push(client),
            }
        }
        attachments
    }

    /// Tells everybody who waits how the process ended.
    pub(super) fn announce(mut self, exit: &Exit) {
        for client in self.clients.iter_mut().filter(|client| client.waits) {
            client.answer(&Answer::Exited(exit.clone()));
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Client {
    fn read(&mut self) -> bool {
        let mut buffer = [0_u8; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.request.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    fn answer(&mut self, answer: &Answer) {
        if let Ok(mut line) = serde_json::to_vec(answer) {
            line.push(b'\n');
            // Answers are short and few: a client that does not read them is gone.
            let _ = self.stream.write_all(&line);
        }
    }
}

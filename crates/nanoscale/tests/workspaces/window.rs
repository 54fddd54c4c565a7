//! A terminal of this machine, as a window that a person sits before, with one program in it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use rustix::termios::Winsize;
use testkit::{PATIENCE, wait_some, wait_until};

pub(crate) struct Window {
    /// What the person's side writes to.
    leader: File,
    /// The program's side, so that its modes can be looked at when the program is gone.
    follower: File,
    program: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Window {
    /// Starts a program in a window of 24 rows and 80 columns.
    pub(crate) fn open(command: &Command) -> Self {
        let pair = nix::pty::openpty(None, None).unwrap();
        let (leader, follower) = (File::from(pair.master), File::from(pair.slave));
        // The window is the one that controls it, as the window's shell would have made it.
        let mut inside = Command::new("/usr/bin/setsid");
        inside.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let side = || Stdio::from(follower.try_clone().unwrap());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, screen) = (leader.try_clone().unwrap(), shown.clone());
        resize(&leader, 24, 80);
        let program = inside.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        std::thread::spawn(move || {
            let mut chunk = vec![0; 16 << 10];
            // Ends with an error when the window is closed.
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                screen.lock().unwrap().extend_from_slice(&chunk[..count]);
            }
        });
        Self { leader, follower, program, shown }
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.leader.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        resize(&self.leader, rows, columns);
    }

    /// All that it was told to show.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    pub(crate) async fn shows(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let in_time = async || self.text().contains(text) || Instant::now() > deadline;
        wait_until("the window is looked at", 2 * PATIENCE, in_time).await;
        assert!(self.text().contains(text), "{text:?} is not in {:?}", self.text());
    }

    /// How the keyboard's side is set: lines or single keys, echo, signals.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.follower).unwrap()
    }

    /// Sets it as a person may have.
    pub(crate) fn set_modes(&self, modes: &Termios) {
        tcsetattr(&self.follower, SetArg::TCSANOW, modes).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.program.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) async fn end(&mut self) -> ExitStatus {
        wait_some("the program ends", PATIENCE, async || self.program.try_wait().unwrap()).await
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn resize(leader: &File, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(leader, size).unwrap();
}

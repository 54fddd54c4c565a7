//! A tool for developers and tests: runs one process in the sandbox.
//!
//! The first line of standard input is the spec as JSON; each line after that is the
//! number of a signal to send. Standard output and error are the process's own; at its end
//! a last line on standard error says `exit code N` or `exit signal N`. A spec that
//! cannot be started ends with status 1 and the reason. Root is given up once the process
//! runs, as any caller should.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use rustix::process::{Gid, Uid};
use sandbox::{Child, Exit, Spec};

const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let spec: Spec = serde_json::from_str(&line)?;
    let child = Arc::new(sandbox::spawn(&spec)?);
    give_up_root()?;

    let stdout = copy(child.stdout.try_clone()?, io::stdout());
    let stderr = copy(child.stderr.try_clone()?, io::stderr());
    send_signals(Arc::clone(&child));
    let exit = child.wait()?;
    for copying in [stdout, stderr] {
        copying.join().map_err(|_| "copying the output panicked")??;
    }
    match exit {
        Exit::Code(code) => eprintln!("exit code {code}"),
        Exit::Signal(signal) => eprintln!("exit signal {signal}"),
    }
    Ok(())
}

fn give_up_root() -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        // Of this thread, which is the only one so far.
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    Ok(())
}

fn copy(from: OwnedFd, mut to: impl io::Write + Send + 'static) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        io::copy(&mut File::from(from), &mut to)?;
        to.flush()
    })
}

/// Until the end of the input, which may be long after the process.
fn send_signals(child: Arc<Child>) {
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let sent = line.trim().parse().map_err(io::Error::other).and_then(|signal| child.signal(signal));
            if let Err(error) = sent {
                eprintln!("signal {line}: {error}");
            }
        }
    });
}

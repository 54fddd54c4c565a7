//! A tool for developers and tests: runs one process in the sandbox.
//!
//! The first line of standard input is the spec as JSON; each line after that is the
//! number of a signal to send or, where the process has a terminal, `type TEXT` (which is JSON) or `resize ROWS COLUMNS`. Standard output and error are the process's own; at its end
//! a last line on standard error says `exit code N` or `exit signal N`. A spec that
//! cannot be started ends with status 1 and the reason. Root is given up once the process
//! runs, as any caller should.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use sandbox::{Child, Exit, Output, Spec, WindowSize};

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

    let copies = match &child.output {
        Output::Pipes { stdout, stderr } => {
            vec![copy(stdout.try_clone()?, io::stdout()), copy(stderr.try_clone()?, io::stderr())]
        }
        Output::Terminal(terminal) => vec![copy(terminal.try_clone()?, io::stdout())],
    };
    obey(Arc::clone(&child));
    let exit = child.wait()?;
    for copying in copies {
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
        let copied = io::copy(&mut File::from(from), &mut to);
        to.flush()?;
        match copied {
            // The end of a terminal.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => Ok(()),
            copied => copied.map(drop),
        }
    })
}

/// Until the end of the input, which may be long after the process.
fn obey(child: Arc<Child>) {
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if let Err(error) = carry_out(&child, line.trim()) {
                eprintln!("{line}: {error}");
            }
        }
    });
}

fn carry_out(child: &Child, line: &str) -> io::Result<()> {
    match (line.split_once(' '), &child.output) {
        (Some(("type", text)), Output::Terminal(terminal)) => {
            let text = serde_json::from_str::<String>(text)?;
            File::from(terminal.try_clone()?).write_all(text.as_bytes())
        }
        (Some(("resize", size)), _) => {
            let (rows, columns) = size.split_once(' ').ok_or(io::ErrorKind::InvalidInput)?;
            let parse = |text: &str| text.parse::<u16>().map_err(io::Error::other);
            child.resize(WindowSize { rows: parse(rows)?, columns: parse(columns)? })
        }
        _ => child.signal(line.parse().map_err(io::Error::other)?),
    }
}

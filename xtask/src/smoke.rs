//! `cargo xtask run`, tried as the README says it: it starts, prints its link, and the link opens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::target;

pub(crate) fn run() -> Result<()> {
    let directory = target().join("smoke-data");
    let _ = std::fs::remove_dir_all(&directory);
    let mut child = Command::new(std::env::current_exe()?)
        .arg("run")
        .env("NANOSCALE_DATA_DIR", &directory)
        .env("NANOSCALE_ORCHESTRATOR_BIND_ADDRESS", "127.0.0.1:0")
        .env("NANOSCALE_EDGE_HTTP_BIND", "127.0.0.1:0")
        .env_remove("NANOSCALE_SETUP_CODE")
        .stdout(Stdio::piped())
        .spawn()
        .context("start `cargo xtask run`")?;
    let tried = open_link(&mut child);
    let stopped = stop(&mut child);
    let _ = std::fs::remove_dir_all(&directory);
    tried?;
    stopped?;
    eprintln!("`cargo xtask run` starts, and its link opens");
    Ok(())
}

fn open_link(child: &mut Child) -> Result<()> {
    let stdout = child.stdout.take().context("its output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        let Some(link) = line.strip_prefix("first-run setup: open http://") else { continue };
        let (address, rest) = link.split_once('/').context("a link with a path")?;
        if !rest.starts_with("setup#code=") {
            bail!("the link does not carry the code: {line}");
        }
        let page = get(address, "/setup")?;
        if !page.contains("<script") {
            bail!("the dashboard is not in the binary: {page}");
        }
        if !get(address, "/api/health")?.ends_with(r#"{"status":"ok"}"#) {
            bail!("the server is not healthy");
        }
        return Ok(());
    }
    bail!("`cargo xtask run` ended without printing its link")
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(answer) } else { bail!("GET {path} answered {answer}") }
}

fn stop(child: &mut Child) -> Result<()> {
    Command::new("kill").arg(child.id().to_string()).status()?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { bail!("after SIGTERM it ended with {status}") }
}

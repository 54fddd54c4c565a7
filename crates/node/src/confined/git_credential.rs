//! git's helper for credentials in a workspace (gitcredentials(7)): asks the node anew each time, and keeps nothing.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use wire::{GitCredential, GitCredentialRequest};

/// Where the node listens, in the directory that it shows to the workspace.
pub(crate) const SOCKET: &str = "workspace.sock";

/// Storing and erasing are nothing to do.
pub(super) fn run(operation: &str) -> io::Result<()> {
    if operation != "get" {
        return Ok(());
    }
    let mut request = GitCredentialRequest { protocol: String::new(), host: String::new() };
    for line in io::stdin().lock().lines() {
        let line = line?;
        match line.split_once('=') {
            Some(("protocol", value)) => value.clone_into(&mut request.protocol),
            Some(("host", value)) => value.clone_into(&mut request.host),
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let directory = std::env::var_os("NANOSCALE_DIRECTORY").map(PathBuf::from).unwrap_or_default();
    let mut stream = UnixStream::connect(directory.join(SOCKET))?;
    let mut question = serde_json::to_vec(&request)?;
    question.push(b'\n');
    stream.write_all(&question)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    // None: git asks another helper, or says that it has none.
    if let Some(GitCredential { username, password }) = serde_json::from_str::<Option<GitCredential>>(&answer)? {
        println!("username={username}\npassword={password}");
    }
    Ok(())
}

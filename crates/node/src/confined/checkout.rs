//! The working copy of a workspace, made by its own user in its own network: what it may not reach is not reached here.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ids::RepoUrl;
use serde::{Deserialize, Serialize};
use wire::{Checkout, Remote};

use super::StepResult;
use super::fetch::{Failed, explain, failed, pin};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CheckoutRequest {
    pub(crate) checkout: Checkout,
}

/// Made whole, then given its name: what was cut off is begun anew.
const PART: &str = ".nanoscale-clone";

pub(super) fn run(request: &CheckoutRequest) -> StepResult {
    check_out(&request.checkout).into()
}

fn check_out(checkout: &Checkout) -> Result<Option<String>, Failed> {
    let directory = Path::new(&checkout.directory);
    if directory.join(".git").exists() {
        return Ok(Some("it is there already".into()));
    }
    if directory.exists() {
        let reason = format!("`~/{}` is there and is no repository; move it away and try again", checkout.directory);
        return Err(failed("DIRECTORY_TAKEN", reason));
    }
    clone(&checkout.remote, checkout.branch.as_deref(), Path::new(PART))?;
    if let Some(new) = &checkout.new_branch {
        let has = format!("refs/remotes/origin/{new}");
        let is_there = git(PART, &["rev-parse", "--verify", "--quiet", &has]).is_ok();
        let switch: &[&str] = if is_there { &["switch", "--quiet", new] } else { &["switch", "--quiet", "-c", new] };
        git(PART, switch)?;
    }
    std::fs::rename(PART, directory).map_err(|error| failed("CLONE_FAILED", error.to_string()))?;
    // One without a commit has nothing to show.
    let shown = git(&checkout.directory, &["log", "-1", "--format=%h %s"]).unwrap_or_default();
    let branch = git(&checkout.directory, &["branch", "--show-current"]).unwrap_or_default();
    Ok(Some(format!("{} {}", branch.trim(), shown.trim()).trim().to_owned()))
}

/// Clones into a directory that is made anew.
pub(super) fn clone(remote: &Remote, branch: Option<&str>, into: &Path) -> Result<(), Failed> {
    let url = remote.url.parse::<RepoUrl>().map_err(|error| failed("INVALID_REPO_URL", error.to_string()))?;
    let resolve = pin(&url, remote.allow_private)?.map(|resolve| format!("http.curloptResolve={resolve}"));
    let _ = std::fs::remove_dir_all(into);
    let mut command = Command::new("git");
    command.args(["-c", "protocol.allow=never", "-c", "protocol.https.allow=always"]);
    if !url.is_https() {
        command.args(["-c", "protocol.http.allow=always"]);
    }
    if let Some(resolve) = &resolve {
        command.args(["-c", resolve]);
    }
    command.args(["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30", "clone", "--progress"]);
    if let Some(branch) = branch {
        command.args(["--branch", branch]);
    }
    command.arg("--").arg(url.as_str()).arg(into);
    println!("$ git clone {url}");
    let mut child = command
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| failed("MISSING_TOOLCHAIN", "this machine has no `git`; install the git package on it"))?;
    let mut complaints = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in lines(BufReader::new(stderr)) {
            eprintln!("{line}");
            complaints.push_str(&line);
            complaints.push('\n');
        }
    }
    let status = child.wait().map_err(|error| failed("CLONE_FAILED", error.to_string()))?;
    if status.success() { Ok(()) } else { Err(explain_clone(branch, &complaints)) }
}

/// Of a meter that is drawn over and over, only what it came to.
fn lines(mut reader: impl BufRead) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let count = reader.read_until(b'\n', &mut line).ok().filter(|count| *count > 0)?;
        let line = line[..count].trim_ascii_end();
        let last = line.rsplit(|byte| *byte == b'\r').next().unwrap_or_default();
        Some(String::from_utf8_lossy(last).into_owned())
    })
}

fn explain_clone(branch: Option<&str>, complaints: &str) -> Failed {
    match branch {
        Some(branch) if complaints.contains("Remote branch") && complaints.contains("not found") => failed(
            "REF_NOT_FOUND",
            format!(
                "the repository has no branch and no tag named `{branch}`; make another workspace with the right one"
            ),
        ),
        _ if complaints.contains("could not read Username") || complaints.contains("Authentication failed") => failed(
            "REPO_PRIVATE",
            "the repository asks for credentials; store a token for its host with `nanoscale git-credential set` and retry",
        ),
        _ => explain(complaints),
    }
}

/// What it says, if it succeeds.
fn git(directory: &str, arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("git").args(["-C", directory]).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed("CLONE_FAILED", error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed("CLONE_FAILED", String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

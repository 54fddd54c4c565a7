use std::io::{BufRead, BufReader};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::process::{Command, Stdio};

use ids::RepoUrl;
use serde::{Deserialize, Serialize};

use super::{Fetched, tree};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FetchRequest {
    pub(crate) url: String,
    /// Branch or tag; the default branch when absent.
    pub(crate) reference: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) allow_private: bool,
    /// Where in the tree the app lies.
    pub(crate) root_directory: String,
}

const REASON_MAX: usize = 500;

/// Why a fetch came to nothing.
pub(super) struct Failed {
    pub(super) code: &'static str,
    pub(super) reason: String,
}

pub(super) fn failed(code: &'static str, reason: impl Into<String>) -> Failed {
    Failed { code, reason: reason.into() }
}

/// Fetches one commit into the working directory.
pub(super) fn run(request: &FetchRequest) -> Fetched {
    match fetch(request) {
        Ok(fetched) => fetched,
        Err(Failed { code, reason }) => Fetched::failed(code, reason),
    }
}

fn fetch(request: &FetchRequest) -> Result<Fetched, Failed> {
    let git = Git::init(&request.url, request.allow_private)?;
    let wanted = git.wanted(request.commit.as_deref(), request.reference.as_deref())?;
    git.fetch(&wanted, &[])?;
    git.run(&["checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"])?;
    let shown = git.run(&["log", "-1", "--format=%H%n%an%n%s"])?;
    let mut lines = shown.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let (sha, author, message) = (next(), next(), next());
    if Path::new(".gitmodules").exists() {
        println!("note: submodules are not fetched");
    }
    // No build gets to see where it came from, and a release does not need it.
    std::fs::remove_dir_all(".git").map_err(|error| failed("FETCH_FAILED", error.to_string()))?;
    let tree = tree::read(&Path::new(".").join(&request.root_directory)).map_err(|_| {
        let directory = &request.root_directory;
        failed(
            "ROOT_DIRECTORY_MISSING",
            format!("the repository has no directory `{directory}`; correct the root directory"),
        )
    })?;
    Ok(Fetched::Source { commit: Some(wire::Commit { sha, message, author }), tree })
}

/// Resolves the host now and holds git to what was found, so that a name cannot lead elsewhere later.
pub(super) fn pin(url: &RepoUrl, allow_private: bool) -> Result<Option<String>, Failed> {
    let (host, port) = (url.host(), url.port());
    let addresses = match url.ip() {
        Some(ip) => vec![ip],
        None => (host, port)
            .to_socket_addrs()
            .map_err(|error| failed("HOST_NOT_FOUND", format!("`{host}` cannot be resolved: {error}")))?
            .map(|address| address.ip())
            .collect(),
    };
    if !allow_private && let Some(private) = addresses.iter().find(|ip| !RepoUrl::is_public(**ip)) {
        return Err(failed(
            "PRIVATE_HOST",
            format!("`{host}` leads to {private}, which is not public; list it in `git.allow_hosts` if that is meant"),
        ));
    }
    let bare = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let list = addresses.iter().map(bare).collect::<Vec<_>>().join(",");
    Ok(url.ip().is_none().then(|| format!("{host}:{port}:{list}")))
}

/// An empty repository in the working directory, and the host it is fetched from.
pub(super) struct Git {
    url: RepoUrl,
    resolve: Option<String>,
}

impl Git {
    pub(super) fn init(url: &str, allow_private: bool) -> Result<Self, Failed> {
        let url = url.parse::<RepoUrl>().map_err(|error| failed("INVALID_REPO_URL", error.to_string()))?;
        let git = Self { resolve: pin(&url, allow_private)?, url };
        git.run(&["init", "--quiet", "."])?;
        Ok(git)
    }

    /// What to fetch: the commit, else the branch or tag, else the default branch.
    pub(super) fn wanted(&self, commit: Option<&str>, reference: Option<&str>) -> Result<String, Failed> {
        match (commit, reference) {
            (Some(commit), _) => Ok(commit.to_owned()),
            (None, Some(reference)) => self.find(reference),
            (None, None) => Ok("HEAD".into()),
        }
    }

    /// Makes one commit `FETCH_HEAD`, without its history.
    pub(super) fn fetch(&self, wanted: &str, options: &[&str]) -> Result<(), Failed> {
        let mut arguments = vec!["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"];
        arguments.extend(options);
        arguments.extend(["--", self.url.as_str(), wanted]);
        self.run(&arguments).map(drop)
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        let mut set = |setting: &str| {
            command.args(["-c", setting]);
        };
        set("protocol.allow=never");
        set("protocol.https.allow=always");
        if !self.url.is_https() {
            set("protocol.http.allow=always");
        }
        set("http.followRedirects=false");
        set("http.lowSpeedLimit=1000");
        set("http.lowSpeedTime=30");
        set("credential.helper=");
        set("core.hooksPath=/dev/null");
        set("core.fsmonitor=false");
        set("advice.detachedHead=false");
        set("init.defaultBranch=main");
        if let Some(resolve) = &self.resolve {
            set(&format!("http.curloptResolve={resolve}"));
        }
        command
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs git; its complaints go to the log as they come.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, Failed> {
        let missing = |_| failed("MISSING_TOOLCHAIN", "this node has no `git`; install the git package on it");
        let mut child = self.command(arguments).spawn().map_err(missing)?;
        let mut complaints = String::new();
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("{line}");
                complaints.push_str(&line);
                complaints.push('\n');
            }
        }
        let output = child.wait_with_output().map_err(|error| failed("FETCH_FAILED", error.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(explain(&complaints))
    }

    /// The full name of a branch or else a tag.
    fn find(&self, reference: &str) -> Result<String, Failed> {
        let branch = format!("refs/heads/{reference}");
        let tag = format!("refs/tags/{reference}");
        let listed = self.run(&["ls-remote", "--quiet", "--", self.url.as_str(), &branch, &tag])?;
        let has = |name: &str| listed.lines().any(|line| line.split('\t').nth(1) == Some(name));
        [branch, tag].into_iter().find(|name| has(name)).ok_or_else(|| {
            failed(
                "REF_NOT_FOUND",
                format!("the repository has no branch and no tag named `{reference}`; correct the branch"),
            )
        })
    }
}

/// What git's complaint means to the person who pasted the address.
pub(super) fn explain(complaints: &str) -> Failed {
    let says = |text: &str| complaints.contains(text);
    let last = complaints.lines().rev().find(|line| line.starts_with("fatal:")).unwrap_or("git failed");
    // Paths in it are as long as the repository's author likes.
    let last = last.chars().take(REASON_MAX).collect::<String>();
    if says("could not read Username") || says("Authentication failed") || says("terminal prompts disabled") {
        failed(
            "REPO_PRIVATE",
            "the repository asks for credentials, and this project has none; use a public repository or upload the files",
        )
    } else if says("not our ref") || says("unadvertised object") || says("couldn't find remote ref") {
        failed("COMMIT_NOT_FOUND", "the repository does not have this commit; it may have been force-pushed away")
    } else if says("not found") || says("error: 404") {
        failed("REPO_NOT_FOUND", "the server has no repository at this address; check it for typing errors")
    } else if says("redirect") || says("error: 301") || says("error: 302") {
        failed(
            "REPO_MOVED",
            "the server sends this address elsewhere, which is not followed; use the repository's present address",
        )
    } else {
        failed("FETCH_FAILED", last)
    }
}

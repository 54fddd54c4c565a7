//! Parts of a node's work that touch other people's files or hosts, and therefore run
//! confined like the builds they serve: `nanoscale internal <name> <request>`. Only `container`, see [`crate::container`],
//! has the node's own rights.
//!
//! What they found goes to [`RESULT`] in their temporary directory; what they say on
//! standard output becomes the build's log.

mod checkout;
mod compare;
mod dotfiles;
mod fetch;
mod git_credential;
mod runtime_files;
mod static_site;
mod tree;
mod unpack;

use std::io::Write;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub(crate) use checkout::CheckoutRequest;
pub(crate) use compare::{CompareRequest, Compared};
pub(crate) use dotfiles::DotfilesRequest;
pub(crate) use fetch::FetchRequest;
pub(crate) use git_credential::SOCKET as WORKSPACE_SOCKET;
pub(crate) use runtime_files::{RUNTIME_FILES, RuntimeFilesRequest};
pub(crate) use static_site::StaticRequest;
pub(crate) use unpack::UnpackRequest;

/// Name of the result's file.
pub(crate) const RESULT: &str = "result.json";

/// What fetching or unpacking a source came to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fetched {
    Source { commit: Option<wire::Commit>, tree: domain::plan::Tree },
    Failed { code: String, reason: String },
}

/// What a step of a workspace's start came to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepResult {
    Done { message: Option<String> },
    Failed { code: String, reason: String },
}

impl From<Result<Option<String>, fetch::Failed>> for StepResult {
    fn from(result: Result<Option<String>, fetch::Failed>) -> Self {
        match result {
            Ok(message) => Self::Done { message },
            Err(fetch::Failed { code, reason }) => Self::Failed { code: code.into(), reason },
        }
    }
}

impl Fetched {
    fn failed(code: &str, reason: impl Into<String>) -> Self {
        Self::Failed { code: code.into(), reason: reason.into() }
    }
}

/// Runs one internal command.
pub fn main(name: &str, request: &str) -> ExitCode {
    if name == "container" {
        return crate::container::main(request);
    }
    let outcome = match name {
        "fetch" => serde_json::from_str(request).map_err(Into::into).and_then(|request| finish(&fetch::run(&request))),
        "compare" => {
            serde_json::from_str(request).map_err(Into::into).and_then(|request| finish(&compare::run(&request)))
        }
        "unpack" => {
            serde_json::from_str(request).map_err(Into::into).and_then(|request| finish(&unpack::run(&request)))
        }
        "clone" => {
            serde_json::from_str(request).map_err(Into::into).and_then(|request| finish(&checkout::run(&request)))
        }
        "dotfiles" => {
            serde_json::from_str(request).map_err(Into::into).and_then(|request| finish(&dotfiles::run(&request)))
        }
        "runtime-files" => finish(&runtime_files::run()),
        "git-credential" => git_credential::run(request),
        // Until its sandbox is ended.
        "hold" => loop {
            nix::unistd::pause();
        },
        "serve-static" => {
            serde_json::from_str(request).map_err(Into::into).and_then(|request| static_site::run(&request))
        }
        _ => Err(std::io::Error::other("unknown internal command")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, command = name, "an internal command failed");
            ExitCode::FAILURE
        }
    }
}

fn finish(found: &impl Serialize) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(found)?;
    let directory = std::env::temp_dir();
    // Beside it first: what others have put in its place may be a pipe, at which one would wait.
    let beside = directory.join(format!(".{RESULT}-{}", std::process::id()));
    let _ = std::fs::remove_file(&beside);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
    file.write_all(&bytes)?;
    std::fs::rename(&beside, directory.join(RESULT))
}

//! Parts of a node's work that touch other people's files or hosts, and therefore run
//! confined like the builds they serve: `nanoscale internal <name> <request>`. Only `container`, see [`crate::container`],
//! has the node's own rights.
//!
//! What they found goes to [`RESULT`] in their temporary directory; what they say on
//! standard output becomes the build's log.

mod compare;
mod fetch;
mod static_site;
mod tree;
mod unpack;

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub(crate) use compare::{CompareRequest, Compared};
pub(crate) use fetch::FetchRequest;
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
    std::fs::write(std::env::temp_dir().join(RESULT), bytes)
}

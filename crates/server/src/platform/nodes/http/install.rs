//! The program for other machines.

use link::JoinToken;

/// A command for a machine that does not have NanoScale yet.
pub(super) fn one_liner(url: &str, token: &JoinToken) -> String {
    format!("curl -fsSk {url}/api/agent/install-script | sh -s -- --join {token}")
}

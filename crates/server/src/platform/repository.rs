//! Which repositories may be fetched at all, decided before any work.

use ids::RepoUrl;

use crate::error::{Error, Result};
use crate::platform::outbound;

/// Whether an explicit setting lists the repository's host.
pub(crate) fn is_allowed(url: &RepoUrl, allow_hosts: &[String]) -> bool {
    let authority = url.authority();
    allow_hosts.iter().any(|host| *host == authority || host == url.host())
}

/// Refuses plain http and private ranges, unless the host is listed.
pub(crate) async fn check(text: &str, allow_hosts: &[String]) -> Result<RepoUrl> {
    let refuse = |code, message: String| Error::invalid("repo_url", code, message);
    let url = text.parse::<RepoUrl>().map_err(|error| refuse("INVALID_REPO_URL", error.to_string()))?;
    if is_allowed(&url, allow_hosts) {
        return Ok(url);
    }
    if !url.is_https() {
        let message =
            "use the repository's https address; a server in your own network can be listed in `git.allow_hosts`";
        return Err(refuse("INSECURE_REPO_URL", message.into()));
    }
    match outbound::private_at(url.host(), url.port()).await {
        Some(ip) => {
            let host = url.host();
            let message =
                format!("`{host}` is at {ip}, in a private range; list it in `git.allow_hosts` if that is meant");
            Err(refuse("PRIVATE_HOST", message))
        }
        None => Ok(url),
    }
}

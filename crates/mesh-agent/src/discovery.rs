//! Where coordinators are: the registry says it, or what it said last, or the owner.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::config::Config;
use crate::kept;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Of a registry, what is tried.
const MOST: usize = 16;

/// Where the address of a coordinator is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The control plane lists it now.
    Registry,
    /// It did when it last answered.
    Cache,
    /// The owner gave it.
    Bootstrap,
}

/// How it is told, after "the coordinator at …".
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registry => "as the registry says",
            Self::Cache => "as the registry said last",
            Self::Bootstrap => "as it was told",
        })
    }
}

pub(crate) struct Discovery {
    client: reqwest::Client,
    registry: Option<Url>,
    bootstrap: Option<Url>,
    directory: PathBuf,
}

/// `GET /network/coordinators` of a control plane.
#[derive(Deserialize)]
struct Registry {
    coordinators: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    coordinator_url: String,
}

// === impl Discovery ===

impl Discovery {
    pub(crate) fn new(client: reqwest::Client, config: &Config) -> Self {
        let Config { registry, coordinator, directory, .. } = config.clone();
        Self { client, registry, bootstrap: coordinator, directory }
    }

    /// Coordinators to try, one after the other.
    pub(crate) async fn coordinators(&self) -> Vec<(Url, Source)> {
        let mut found = match self.listed().await {
            Some(urls) => urls.into_iter().map(|url| (url, Source::Registry)).collect(),
            None if self.registry.is_some() => self.cached().into_iter().map(|url| (url, Source::Cache)).collect(),
            None => Vec::new(),
        };
        if let Some(bootstrap) = self.bootstrap.as_ref().filter(|url| found.iter().all(|(known, _)| known != *url)) {
            found.push((bootstrap.clone(), Source::Bootstrap));
        }
        found
    }

    /// `None` where the registry does not answer, or there is none.
    async fn listed(&self) -> Option<Vec<Url>> {
        let registry = self.registry.as_ref()?;
        let asked = async {
            let at = registry.join("/network/coordinators").map_err(|error| error.to_string())?;
            let response =
                self.client.get(at).timeout(TIMEOUT).send().await.and_then(reqwest::Response::error_for_status);
            let answered = response.map_err(|error| error.to_string())?.json::<Registry>().await;
            answered.map_err(|error| error.to_string())
        };
        match asked.await {
            Ok(Registry { coordinators }) => {
                let usable = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host().is_some();
                let urls =
                    coordinators.into_iter().filter_map(|listed| listed.coordinator_url.parse().ok()).filter(usable);
                let urls = urls.take(MOST).collect::<Vec<_>>();
                self.keep(&urls);
                Some(urls)
            }
            Err(error) => {
                tracing::warn!(%registry, error, "the registry of coordinators does not answer");
                None
            }
        }
    }

    fn cached(&self) -> Vec<Url> {
        kept::coordinators(&self.directory).unwrap_or_else(|error| {
            tracing::warn!(%error, "what the registry said last cannot be read");
            Vec::new()
        })
    }

    fn keep(&self, urls: &[Url]) {
        if !urls.is_empty()
            && self.cached() != urls
            && let Err(error) = kept::keep_coordinators(&self.directory, urls)
        {
            tracing::warn!(%error, "what the registry says cannot be kept");
        }
    }
}

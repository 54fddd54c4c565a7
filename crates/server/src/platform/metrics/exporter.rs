//! What Prometheus asks for, and who may ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use ids::ProjectId;
use prometheus::core::Collector;
use sha2::{Digest, Sha256};
use store::Store;
use subtle::ConstantTimeEq;

use super::exposition::{Facts, render};
use super::requests::Requests;
pub(crate) use super::requests::count;
use crate::error::{Error, Result};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Exporter {
    store: Store,
    /// The hash of what a caller has to have; absent where nobody may ask.
    token: Option<Arc<[u8]>>,
    requests: Requests,
}

impl Exporter {
    pub(crate) fn new(store: Store, token: Option<&str>) -> Self {
        let token = token.map(|token| Sha256::digest(token).as_slice().into());
        let requests = Requests::new().unwrap_or_else(|error| unreachable!("the names are valid: {error}"));
        Self { store, token, requests }
    }

    /// Whether a caller with this token may read.
    pub(crate) fn admit(&self, token: Option<&str>) -> Result<()> {
        let Some(wanted) = &self.token else {
            return Err(Error::switched_off(
                "METRICS_OFF",
                "metrics are not exported; set `metrics.token` (NANOSCALE_METRICS_TOKEN) to 16 characters or more and start \
                 the server again",
            ));
        };
        // Of hashes, so that the time it takes says nothing of the length either.
        let is_it = |token: &str| bool::from(Sha256::digest(token).as_slice().ct_eq(wanted));
        if token.is_some_and(is_it) { Ok(()) } else { Err(Error::metrics_token_missing()) }
    }

    pub(super) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Everything, as Prometheus reads it.
    pub(super) async fn export(&self, nodes: &[api::Node], further: Vec<Box<dyn Collector>>) -> Result<String> {
        let mut tx = self.store.read().await?;
        let projects = tx.project_list().await?;
        let deployments = tx.deployment_counts().await?;
        drop(tx);
        let names = projects.into_iter().map(|project| (project.id, project.slug));
        let facts = Facts {
            nodes,
            projects: &names.collect::<BTreeMap<ProjectId, String>>(),
            deployments: &deployments,
            requests: &self.requests.0,
        };
        render(&facts, further).map_err(Error::internal)
    }
}

//! What a node keeps of the cluster that it joined, in its own directory: no token is needed again.

use std::io;
use std::path::Path;
use std::sync::Arc;

use ::link::{JoinToken, KeyPair, PublicKey};
use ids::NodeId;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::layout::write_atomic;

const KEY: &str = "link.key";
const CLUSTER: &str = "cluster.json";

/// A node of a cluster.
pub struct Membership {
    key: Arc<KeyPair>,
    stored: Stored,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) url: Url,
    /// The cluster's key.
    pub(super) cluster: PublicKey,
    pub(super) node_id: NodeId,
    /// As the cluster calls it.
    pub(super) name: String,
    /// The token that it came with; not its secret.
    pub(super) token_id: String,
}

// === impl Membership ===

impl Membership {
    /// What `directory` has of an earlier joining.
    ///
    /// # Errors
    /// When the files are there and cannot be read.
    pub fn load(directory: &Path) -> io::Result<Option<Self>> {
        let stored = match std::fs::read(directory.join(CLUSTER)) {
            Ok(bytes) => serde_json::from_slice::<Stored>(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Self { key: Arc::new(load_key(directory)?), stored }))
    }

    pub(super) fn keep(directory: &Path, key: KeyPair, stored: Stored) -> io::Result<Self> {
        write_atomic(&directory.join(CLUSTER), &serde_json::to_vec_pretty(&stored)?)?;
        Ok(Self { key: Arc::new(key), stored })
    }

    /// Whether it came of this very token.
    pub fn is_of(&self, token: &JoinToken) -> bool {
        self.stored.token_id == token.id && self.stored.cluster == token.cluster
    }

    /// Looks for the control plane elsewhere from now on.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn move_to(&mut self, directory: &Path, url: Url) -> io::Result<()> {
        if self.stored.url != url {
            self.stored.url = url;
            write_atomic(&directory.join(CLUSTER), &serde_json::to_vec_pretty(&self.stored)?)?;
        }
        Ok(())
    }

    pub fn node_id(&self) -> &NodeId {
        &self.stored.node_id
    }

    pub fn name(&self) -> &str {
        &self.stored.name
    }

    pub fn url(&self) -> &Url {
        &self.stored.url
    }

    pub(crate) fn key(&self) -> &Arc<KeyPair> {
        &self.key
    }

    pub(super) fn cluster(&self) -> PublicKey {
        self.stored.cluster
    }
}

/// The node's key, for life; made now when there is none.
pub(super) fn load_key(directory: &Path) -> io::Result<KeyPair> {
    let path = directory.join(KEY);
    match std::fs::read(&path) {
        Ok(der) => {
            let damaged = |_| io::Error::other(format!("{} is not a key; remove it and join anew", path.display()));
            KeyPair::from_pkcs8(&der).map_err(damaged)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::generate().map_err(io::Error::other)?;
            write_atomic(&path, key.to_pkcs8())?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

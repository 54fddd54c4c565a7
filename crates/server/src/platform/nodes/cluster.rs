//! The cluster's own key, for life: nodes know it by nothing else, so certificates and addresses may change.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use link::KeyPair;
use store::{Store, StoredCluster};

use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::vault::Vault;

/// Where the sealed key belongs.
const PLACE: &str = "cluster/key";

/// The key in the database, which is made now if there is none.
pub(crate) async fn load(store: &Store, vault: &Vault) -> Result<KeyPair> {
    let mut tx = store.write().await?;
    if tx.cluster().await?.is_none() {
        let pair = KeyPair::generate().map_err(Error::internal)?;
        let sealed = vault.seal(PLACE, &STANDARD.encode(pair.to_pkcs8())).map_err(Error::internal)?;
        tx.cluster_insert(&StoredCluster { public_key: pair.public().to_string(), key_sealed: sealed }, now_ms())
            .await?;
    }
    // Another server may have been first.
    let stored = tx.cluster().await?.ok_or_else(|| Error::internal("the cluster's key is not there"))?;
    tx.commit().await?;
    let opened = vault.open(PLACE, &stored.key_sealed).map_err(Error::internal)?;
    let pkcs8 = STANDARD.decode(opened).map_err(Error::internal)?;
    KeyPair::from_pkcs8(&pkcs8).map_err(Error::internal)
}

//! Names of sign-ins, for what has to end with them and must not carry their secret.

use super::{Credential, Grant, Identity};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::now_ms;

const SESSION: &str = "session:";
const TOKEN: &str = "token:";

impl Identity {
    /// What a sign-in is called by: no secret, and nobody else's.
    pub(crate) async fn sign_in_name(&self, credential: &Credential) -> Result<String> {
        match credential {
            Credential::Session(hash) => {
                let owner = self.session_owner(hash).await?.ok_or_else(Error::unauthenticated)?;
                Ok(format!("{SESSION}{}", owner.session_id))
            }
            Credential::Token(grant) => Ok(format!("{TOKEN}{}", grant.id)),
        }
    }

    /// Who is signed in by what has this name, if that still stands.
    pub(crate) async fn signed_in_by(&self, name: &str) -> Result<Option<Caller>> {
        let mut tx = self.store.read().await?;
        if let Some(Ok(id)) = name.strip_prefix(SESSION).map(str::parse) {
            let Some(hash) = tx.session_hash(&id).await? else { return Ok(None) };
            let owner = tx.session_owner(&hash, now_ms()).await?;
            return Ok(owner.map(|owner| Caller { user: owner.user, credential: Credential::Session(hash) }));
        }
        if let Some(Ok(id)) = name.strip_prefix(TOKEN).map(str::parse) {
            let Some(hash) = tx.token_hash(&id).await? else { return Ok(None) };
            let Some(owner) = tx.token_owner(&hash, now_ms()).await? else { return Ok(None) };
            let grant = Grant::of(hash, &owner)?;
            return Ok(Some(Caller { user: owner.user, credential: Credential::Token(grant) }));
        }
        Ok(None)
    }
}

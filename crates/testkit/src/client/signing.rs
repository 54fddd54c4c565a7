use ids::WorkspaceId;

use super::{Client, Result};

/// Tokens that others verify, and their keys.
impl Client {
    pub async fn jwks(&self) -> Result<api::JsonWebKeySet> {
        self.get("/.well-known/jwks.json").await
    }

    pub async fn signing_key_list(&self) -> Result<Vec<api::SigningKey>> {
        Ok(self.get::<api::SigningKeyList>("/api/signing-keys").await?.signing_keys)
    }

    pub async fn signing_key_rotate(&self, revoke_previous: bool) -> Result<Vec<api::SigningKey>> {
        let rotate = api::SigningKeyRotate { revoke_previous };
        Ok(self.post::<api::SigningKeyList>("/api/signing-keys/rotate", &rotate).await?.signing_keys)
    }

    pub async fn terminal_token_create(&self, workspace: &WorkspaceId) -> Result<api::TerminalToken> {
        let create = api::TerminalTokenCreate { workspace_id: workspace.clone() };
        let made: api::TerminalToken = self.post("/api/terminal/token", &create).await?;
        self.secrets.remember(&made.token);
        Ok(made)
    }
}

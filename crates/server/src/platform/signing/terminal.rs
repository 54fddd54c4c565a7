//! Tokens for the terminals of one workspace, good only as long as what asked for them is signed in.

use ids::WorkspaceId;
use serde::{Deserialize, Serialize};

use super::{Audience, Signing, refused};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::rfc3339;

#[derive(Serialize, Deserialize)]
struct TerminalClaims {
    workspace: String,
    /// The sign-in that it was made by, see [`crate::platform::identity::Identity::sign_in_name`].
    sid: String,
}

impl Signing {
    /// A token for the terminals of the caller's own workspace.
    pub(crate) async fn terminal_issue(&self, caller: &Caller, id: &WorkspaceId) -> Result<api::TerminalToken> {
        let mut tx = self.store.read().await?;
        let found = tx.workspace_owner(id).await?.filter(|(owner, _)| *owner == caller.user.id);
        drop(tx);
        let (_, state) = found.ok_or_else(|| Error::not_found("workspace"))?;
        if !state.is_active() {
            let message = format!("the workspace is {state}; start it, and ask again");
            return Err(Error::conflict("WORKSPACE_NOT_RUNNING", message));
        }
        let sid = self.identity.sign_in_name(&caller.credential).await?;
        let own = TerminalClaims { workspace: id.to_string(), sid };
        let issued = self.issue(Audience::Terminal, caller.user.id.as_str(), own).await?;
        Ok(api::TerminalToken {
            token: issued.token,
            expires_at: rfc3339(issued.expires_at),
            workspace_url: self.config.workspace_url(id),
        })
    }

    /// Who comes with this token, and for which workspace: it is still theirs, and they are still signed in.
    pub(crate) async fn terminal_caller(&self, token: &str) -> Result<(Caller, WorkspaceId)> {
        let (subject, claims) = self.verify::<TerminalClaims>(Audience::Terminal, token).await?;
        let caller = self.identity.signed_in_by(&claims.sid).await?.ok_or_else(refused)?;
        let workspace = claims.workspace.parse::<WorkspaceId>().map_err(|_| refused())?;
        let owner = self.store.read().await?.workspace_owner(&workspace).await?;
        let is_theirs = owner.is_some_and(|(owner, _)| owner == caller.user.id);
        match is_theirs && subject == caller.user.id.as_str() {
            true => Ok((caller, workspace)),
            false => Err(refused()),
        }
    }
}

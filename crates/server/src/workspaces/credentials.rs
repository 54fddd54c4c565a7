//! What git in a workspace is given: its owner's credential for the host that it speaks to, and for no other.

use std::sync::Arc;

use futures_util::FutureExt;
use ids::{NodeId, WorkspaceId};
use wire::{GitCredential, GitCredentialRequest};

use super::Workspaces;
use crate::error::Result;
use crate::platform::git::GitCredentials;

impl Workspaces {
    /// Answers nodes from now on.
    pub(crate) fn answer_git(&self, credentials: GitCredentials) {
        let (workspaces, credentials) = (self.clone(), Arc::new(credentials));
        self.nodes.answer_git_credentials(Box::new(move |node, workspace, request| {
            let (workspaces, credentials) = (workspaces.clone(), credentials.clone());
            async move { workspaces.git_credential(&credentials, &node, &workspace, &request).await }.boxed()
        }));
    }

    async fn git_credential(
        &self,
        credentials: &GitCredentials,
        node: &NodeId,
        id: &WorkspaceId,
        request: &GitCredentialRequest,
    ) -> Result<Option<GitCredential>> {
        let workspace = self.store.read().await?.workspace(id).await?;
        // A node speaks for what runs on it, and for nothing else.
        let Some(workspace) = workspace.filter(|it| it.node_id == *node && it.state.is_active()) else {
            return Ok(None);
        };
        // In the clear only where the operator meant it.
        let is_allowed = request.protocol == "https" || self.config.git_allow_hosts.contains(&request.host);
        if !is_allowed {
            return Ok(None);
        }
        let found = credentials.for_host(&workspace.owner_id, &request.host).await?;
        Ok(found.map(|(username, password)| GitCredential { username, password }))
    }
}

//! How people work with git in their workspaces: what they show to which server, and whose commits they make.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::workspace::WorkSettings;
use ids::{RepoUrl, UserId};
use store::{Store, StoredGitCredential};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::User;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::Json;
use crate::platform::rates::{Rated, Rates};
use crate::platform::repository;
use crate::platform::vault::Vault;
use crate::state::AppState;
use crate::{now_ms, rfc3339};

/// What servers take beside a token that says all.
const USERNAME: &str = "x-access-token";
/// Characters of names and addresses, bytes of a token.
const TEXT_MAX: usize = 256;
const TOKEN_MAX: usize = 16 * 1024;

#[derive(Clone)]
pub(crate) struct GitCredentials {
    store: Store,
    vault: Arc<Vault>,
    config: Arc<Config>,
}

impl GitCredentials {
    pub(crate) fn new(store: Store, vault: Arc<Vault>, config: Arc<Config>) -> Self {
        Self { store, vault, config }
    }

    /// User name and token of a person for `host` (`host` or `host:port`), as the address of a repository has it.
    pub(crate) async fn for_host(&self, user: &UserId, host: &str) -> Result<Option<(String, String)>> {
        let Ok(host) = parse_host(host) else { return Ok(None) };
        let stored = self.store.read().await?.git_credential_list(user).await?;
        let Some(found) = stored.into_iter().find(|it| it.host == host) else { return Ok(None) };
        let token = self.vault.open(&place(user, &host), &found.token_sealed).map_err(|error| {
            let message = "a stored git credential does not open with the keys in keys.json; restore that file, \
                or set the credential anew";
            Error::conflict("GIT_CREDENTIAL_UNREADABLE", message).because(error)
        })?;
        Ok(Some((found.username, token)))
    }

    pub(crate) async fn work_settings(&self, user: &UserId) -> Result<WorkSettings> {
        Ok(self.store.read().await?.work_settings(user).await?)
    }

    async fn list(&self, user: &UserId) -> Result<Vec<StoredGitCredential>> {
        Ok(self.store.read().await?.git_credential_list(user).await?)
    }

    async fn put(&self, user: &UserId, host: &str, put: api::GitCredentialPut) -> Result<StoredGitCredential> {
        let host = parse_host(host)?;
        let username = filled(put.username).unwrap_or_else(|| USERNAME.into());
        if username.chars().count() > TEXT_MAX || username.chars().any(char::is_control) {
            let message = format!("a user name has up to {TEXT_MAX} characters, none of them a control character");
            return Err(Error::invalid("username", "INVALID_GIT_USERNAME", message));
        }
        let token = put.token.trim();
        if token.is_empty() || token.len() > TOKEN_MAX || token.chars().any(char::is_control) {
            let message = "a token is one line of text; copy it again from where it was made";
            return Err(Error::invalid("token", "INVALID_GIT_TOKEN", message));
        }
        let token_sealed = self.vault.seal(&place(user, &host), token).map_err(Error::internal)?;
        let now = now_ms();
        let mut tx = self.store.write().await?;
        let old = tx.git_credential_list(user).await?.into_iter().find(|it| it.host == host);
        let created_at = old.map_or(now, |old| old.created_at);
        let credential = StoredGitCredential { host, username, token_sealed, created_at, updated_at: now };
        tx.git_credential_put(user, &credential).await?;
        tx.commit().await?;
        Ok(credential)
    }

    async fn remove(&self, user: &UserId, host: &str) -> Result<()> {
        let missing = || Error::not_found("git credential");
        let host = parse_host(host).map_err(|_| missing())?;
        let mut tx = self.store.write().await?;
        if !tx.git_credential_delete(user, &host).await? {
            return Err(missing());
        }
        Ok(tx.commit().await?)
    }

    async fn work_settings_put(&self, user: &UserId, put: api::WorkSettings) -> Result<WorkSettings> {
        let dotfiles_url = match filled(put.dotfiles_url) {
            None => None,
            Some(url) => {
                let checked = repository::check(&url, &self.config.git_allow_hosts).await;
                Some(checked.map_err(|error| error.at("dotfiles_url"))?.to_string())
            }
        };
        let settings = WorkSettings {
            git_name: identity("git_name", put.git_name)?,
            git_email: identity("git_email", put.git_email)?,
            dotfiles_url,
        };
        let mut tx = self.store.write().await?;
        tx.work_settings_put(user, &settings).await?;
        tx.commit().await?;
        Ok(settings)
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A part of `Name <address>`, as git writes it into a commit.
fn identity(field: &str, text: Option<String>) -> Result<Option<String>> {
    let text = filled(text);
    let unfit = |text: &String| {
        let plain = |c: char| !c.is_control() && !matches!(c, '<' | '>');
        text.chars().count() > TEXT_MAX || !text.chars().all(plain)
    };
    if text.as_ref().is_some_and(unfit) {
        let message = format!("it has up to {TEXT_MAX} characters, none of them a control character, `<` or `>`");
        return Err(Error::invalid(field, "INVALID_GIT_IDENTITY", message));
    }
    Ok(text)
}

/// A host as the address of a repository has it: lower case, without the port that https has anyway.
fn parse_host(text: &str) -> Result<String> {
    let text = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let url = Some(text).filter(|text| text.chars().all(plain)).map(|text| format!("https://{text}/repository"));
    url.and_then(|url| url.parse::<RepoUrl>().ok()).map(|url| url.authority()).ok_or_else(|| {
        Error::invalid("host", "INVALID_GIT_HOST", "a host is like `github.com` or `git.example.com:8443`")
    })
}

fn place(user: &UserId, host: &str) -> String {
    format!("git_credentials/{user}/{host}")
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(git_credential_list))
        .routes(routes!(git_credential_put, git_credential_delete))
        .routes(routes!(work_settings_get, work_settings_put))
}

fn shown(credential: StoredGitCredential) -> api::GitCredential {
    api::GitCredential {
        host: credential.host,
        username: credential.username,
        created_at: rfc3339(credential.created_at),
        updated_at: rfc3339(credential.updated_at),
    }
}

fn shown_settings(settings: WorkSettings) -> axum::Json<api::WorkSettings> {
    let WorkSettings { git_name, git_email, dotfiles_url } = settings;
    axum::Json(api::WorkSettings { git_name, git_email, dotfiles_url })
}

/// Git servers that the caller has a credential for. Tokens are never returned.
#[utoipa::path(get, path = "/api/me/git-credentials", tag = "me", responses(
    (status = 200, body = api::GitCredentialList), (status = 401, body = api::ErrorBody)))]
async fn git_credential_list(
    User(user): User,
    State(credentials): State<GitCredentials>,
) -> Result<axum::Json<api::GitCredentialList>> {
    let git_credentials = credentials.list(&user.id).await?.into_iter().map(shown).collect();
    Ok(axum::Json(api::GitCredentialList { git_credentials }))
}

/// Sets what the caller's workspaces show to a git server.
#[utoipa::path(put, path = "/api/me/git-credentials/{host}", tag = "me", params(("host" = String, Path)),
    request_body = api::GitCredentialPut, responses((status = 200, body = api::GitCredential),
    (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 429, body = api::ErrorBody)))]
async fn git_credential_put(
    User(user): User,
    State(credentials): State<GitCredentials>,
    State(rates): State<Rates>,
    Path(host): Path<String>,
    Json(put): Json<api::GitCredentialPut>,
) -> Result<axum::Json<api::GitCredential>> {
    let put = rates.count(&user, Rated::CredentialUpdate, credentials.put(&user.id, &host, put));
    Ok(axum::Json(shown(put.await?)))
}

/// Forgets the caller's credential for a git server.
#[utoipa::path(delete, path = "/api/me/git-credentials/{host}", tag = "me", params(("host" = String, Path)), responses(
    (status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 429, body = api::ErrorBody)))]
async fn git_credential_delete(
    User(user): User,
    State(credentials): State<GitCredentials>,
    State(rates): State<Rates>,
    Path(host): Path<String>,
) -> Result<StatusCode> {
    rates.count(&user, Rated::CredentialUpdate, credentials.remove(&user.id, &host)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the caller works in workspaces.
#[utoipa::path(get, path = "/api/me/work-settings", tag = "me", responses(
    (status = 200, body = api::WorkSettings), (status = 401, body = api::ErrorBody)))]
async fn work_settings_get(
    User(user): User,
    State(credentials): State<GitCredentials>,
) -> Result<axum::Json<api::WorkSettings>> {
    Ok(shown_settings(credentials.work_settings(&user.id).await?))
}

/// Writes them anew; what is absent is none.
#[utoipa::path(put, path = "/api/me/work-settings", tag = "me", request_body = api::WorkSettings, responses(
    (status = 200, body = api::WorkSettings), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody)))]
async fn work_settings_put(
    User(user): User,
    State(credentials): State<GitCredentials>,
    Json(put): Json<api::WorkSettings>,
) -> Result<axum::Json<api::WorkSettings>> {
    Ok(shown_settings(credentials.work_settings_put(&user.id, put).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_as_addresses_have_them() {
        for (text, host) in
            [("GitHub.com", "github.com"), ("git.example.com:8443", "git.example.com:8443"), ("a.b:443", "a.b")]
        {
            assert_eq!(parse_host(text).unwrap(), host);
        }
        for bad in ["", "a/b", "a@b", "a b", "https://a", "a:99999", "a?x", "a#x", "a\n", "..%2f"] {
            assert!(parse_host(bad).is_err() || bad == "a\n", "{bad:?}");
        }
    }
}

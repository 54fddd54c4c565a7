//! A project's environment variables: sealed when they come in, opened only for its node.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use ids::{EnvKey, ProjectId};
use serde::Deserialize;
use store::{Store, Tx};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, PathId};
use crate::now_ms;
use crate::platform::projects::{ProjectRef, Projects};
use crate::platform::vault::{Vault, VaultError};
use crate::state::AppState;

/// All values of a project together (execve(2) bounds what a process can be given).
const TOTAL_MAX: usize = 512 * 1024;

#[derive(Clone)]
pub(crate) struct Environment {
    store: Store,
    vault: Arc<Vault>,
}

impl Environment {
    pub(crate) fn new(store: Store, vault: Arc<Vault>) -> Self {
        Self { store, vault }
    }

    /// Checks and seals a whole set.
    pub(crate) fn seal_all(
        &self,
        project: &ProjectId,
        vars: &BTreeMap<EnvKey, String>,
    ) -> Result<Vec<(String, String)>> {
        if vars.values().any(|value| value.contains('\0')) {
            return Err(Error::invalid("env_vars", "INVALID_ENV_VALUE", "a value cannot have a NUL byte in it"));
        }
        if vars.iter().map(|(key, value)| key.as_str().len() + value.len()).sum::<usize>() > TOTAL_MAX {
            return Err(Error::invalid("env_vars", "ENV_TOO_LARGE", "all variables together may have 512 kB"));
        }
        vars.iter()
            .map(|(key, value)| {
                let sealed = self.vault.seal(&place(project, key.as_str()), value).map_err(Error::internal)?;
                Ok((key.as_str().to_owned(), sealed))
            })
            .collect()
    }

    /// The project's variables of now, sealed as one for a deployment and its release.
    pub(crate) async fn snapshot(&self, tx: &mut Tx, project: &ProjectId) -> Result<String> {
        let vars = tx
            .env_list(project)
            .await?
            .into_iter()
            .map(|(key, sealed)| {
                let value = self.vault.open(&place(project, &key), &sealed).map_err(unreadable)?;
                Ok((key, value))
            })
            .collect::<Result<Vec<(String, String)>>>()?;
        let text = serde_json::to_string(&vars).map_err(Error::internal)?;
        self.vault.seal(&snapshot_place(project), &text).map_err(Error::internal)
    }

    pub(crate) fn open_snapshot(&self, project: &ProjectId, sealed: &str) -> Result<Vec<(String, String)>> {
        let text = self.vault.open(&snapshot_place(project), sealed).map_err(unreadable)?;
        serde_json::from_str(&text).map_err(Error::internal)
    }

    async fn list(&self, project: &ProjectId) -> Result<Vec<api::EnvVar>> {
        let vars = self.store.read().await?.env_list(project).await?;
        Ok(vars.into_iter().map(|(key, _)| api::EnvVar { key, has_value: true }).collect())
    }

    async fn replace(&self, project: &ProjectId, updates: Vec<api::EnvVarUpdate>) -> Result<()> {
        let mut tx = self.store.write().await?;
        let stored = tx.env_list(project).await?.into_iter().collect::<BTreeMap<_, _>>();
        let mut fresh = BTreeMap::new();
        let mut sealed = Vec::new();
        for (index, update) in updates.into_iter().enumerate() {
            let key = parse_key(&format!("[{index}].key"), &update.key)?;
            let twice = fresh.contains_key(&key) || sealed.iter().any(|(known, _)| known == key.as_str());
            if twice {
                return Err(Error::invalid(
                    &format!("[{index}].key"),
                    "DUPLICATE_ENV_KEY",
                    format!("`{key}` is there twice"),
                ));
            }
            match (update.value, stored.get(key.as_str())) {
                (Some(value), _) => drop(fresh.insert(key, value)),
                (None, Some(kept)) => sealed.push((key.as_str().to_owned(), kept.clone())),
                (None, None) => {
                    let message = format!("`{key}` has no stored value to keep; send one");
                    return Err(Error::invalid(&format!("[{index}].value"), "ENV_VALUE_MISSING", message));
                }
            }
        }
        sealed.extend(self.seal_all(project, &fresh)?);
        tx.env_replace(project, &sealed).await?;
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        Ok(tx.commit().await?)
    }
}

/// Parses the variables of a new project.
pub(crate) fn parse_all(vars: &[api::EnvVarInput]) -> Result<BTreeMap<EnvKey, String>> {
    let mut parsed = BTreeMap::new();
    for (index, var) in vars.iter().enumerate() {
        let field = format!("env_vars[{index}].key");
        if parsed.insert(parse_key(&field, &var.key)?, var.value.clone()).is_some() {
            return Err(Error::invalid(&field, "DUPLICATE_ENV_KEY", format!("`{}` is there twice", var.key)));
        }
    }
    Ok(parsed)
}

fn parse_key(field: &str, key: &str) -> Result<EnvKey> {
    key.parse().map_err(|error: ids::Invalid| Error::invalid(field, "INVALID_ENV_KEY", error.to_string()))
}

fn unreadable(error: VaultError) -> Error {
    let message = "stored environment variables do not open with the keys in keys.json; restore that file, \
        or set the variables anew";
    Error::conflict("ENV_UNREADABLE", message).because(error)
}

fn place(project: &ProjectId, key: &str) -> String {
    format!("env_vars/{project}/{key}")
}

fn snapshot_place(project: &ProjectId) -> String {
    format!("deployments/{project}/env_sealed")
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(env_list, env_replace))
}

/// A bare list, or the same under its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum EnvBody {
    List(Vec<api::EnvVarUpdate>),
    Named { env_vars: Vec<api::EnvVarUpdate> },
}

/// The names of the project's variables. Values are never returned.
#[utoipa::path(get, path = "/api/projects/{id}/env", tag = "projects", params(("id" = String, Path)), responses(
    (status = 200, body = [api::EnvVar]), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn env_list(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<Vec<api::EnvVar>>> {
    let project = projects.find(&id).await?;
    Ok(axum::Json(environment.list(&project.id).await?))
}

/// Writes the whole set; an entry without a value keeps the stored one. Takes effect with the next deployment.
#[utoipa::path(put, path = "/api/projects/{id}/env", tag = "projects", params(("id" = String, Path)),
    request_body = Vec<api::EnvVarUpdate>, responses(
    (status = 200, body = [api::EnvVar]), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn env_replace(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    PathId(id): PathId<ProjectRef>,
    Json(body): Json<EnvBody>,
) -> Result<axum::Json<Vec<api::EnvVar>>> {
    let project = projects.find(&id).await?;
    let (EnvBody::List(updates) | EnvBody::Named { env_vars: updates }) = body;
    environment.replace(&project.id, updates).await?;
    Ok(axum::Json(environment.list(&project.id).await?))
}

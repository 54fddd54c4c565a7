//! A project's environment variables: sealed when they come in, opened only for its node.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::project::Registry;
use ids::{EnvKey, ProjectId};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
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

/// Bytes of one `KEY=value`, without the NUL after it (MAX_ARG_STRLEN, execve(2)).
const VARIABLE_MAX: usize = 128 * 1024 - 1;
/// Bytes of all variables together: half of what execve(2) lets a process have beside its arguments.
const TOTAL_MAX: usize = 1 << 20;
/// What the kernel counts for a variable besides key and value: `=`, the NUL, a pointer.
const OVERHEAD: usize = 10;

#[derive(Clone)]
pub(crate) struct Environment {
    store: Store,
    vault: Arc<Vault>,
}

impl Environment {
    pub(crate) fn new(store: Store, vault: Arc<Vault>) -> Self {
        Self { store, vault }
    }

    /// Seals variables that were checked.
    pub(crate) fn seal_all(
        &self,
        project: &ProjectId,
        vars: &BTreeMap<EnvKey, String>,
    ) -> Result<Vec<(String, String)>> {
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

    /// Seals the password for a project's registry.
    pub(crate) fn seal_registry_password(&self, project: &ProjectId, password: &str) -> Result<String> {
        self.vault.seal(&registry_place(project), password).map_err(Error::internal)
    }

    /// User name and password for a project's registry, where they are set.
    pub(crate) fn registry_credentials(
        &self,
        project: &ProjectId,
        registry: &Registry,
    ) -> Result<Option<(String, String)>> {
        let (Some(username), Some(sealed)) = (&registry.username, &registry.password_sealed) else { return Ok(None) };
        let password = self.vault.open(&registry_place(project), sealed).map_err(unreadable)?;
        Ok(Some((username.clone(), password)))
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
        let mut total = 0;
        for (index, update) in updates.into_iter().enumerate() {
            let field = format!("[{index}]");
            let key = parse_key(&field, &update.key)?;
            if fresh.contains_key(&key) || sealed.iter().any(|(known, _)| known == key.as_str()) {
                return Err(twice(&field, &key));
            }
            total += key.as_str().len() + OVERHEAD;
            match (update.value, stored.get(key.as_str())) {
                (Some(value), _) => {
                    check_value(&field, &key, &value)?;
                    total += value.len();
                    fresh.insert(key, value);
                }
                (None, Some(kept)) => {
                    total += Vault::opened_len(kept);
                    sealed.push((key.as_str().to_owned(), kept.clone()));
                }
                (None, None) => {
                    let message = format!("`{key}` has no stored value to keep; send one");
                    return Err(Error::invalid(&format!("{field}.value"), "ENV_VALUE_MISSING", message));
                }
            }
        }
        check_total(total)?;
        sealed.extend(self.seal_all(project, &fresh)?);
        tx.env_replace(project, &sealed).await?;
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        Ok(tx.commit().await?)
    }
}

/// Checks the variables of a new project.
pub(crate) fn parse_all(vars: &[api::EnvVarInput]) -> Result<BTreeMap<EnvKey, String>> {
    let mut parsed = BTreeMap::new();
    let mut total = 0;
    for (index, var) in vars.iter().enumerate() {
        let field = format!("env_vars[{index}]");
        let key = parse_key(&field, &var.key)?;
        check_value(&field, &key, &var.value)?;
        total += key.as_str().len() + var.value.len() + OVERHEAD;
        if parsed.contains_key(&key) {
            return Err(twice(&field, &key));
        }
        parsed.insert(key, var.value.clone());
    }
    check_total(total)?;
    Ok(parsed)
}

fn parse_key(field: &str, key: &str) -> Result<EnvKey> {
    let refuse = |error: ids::Invalid| Error::invalid(&format!("{field}.key"), "INVALID_ENV_KEY", error.to_string());
    key.parse().map_err(refuse)
}

/// Whether a process can be given the value at all: found out now, and not when the next deployment starts.
fn check_value(field: &str, key: &EnvKey, value: &str) -> Result<()> {
    let field = format!("{field}.value");
    if value.contains('\0') {
        return Err(Error::invalid(
            &field,
            "INVALID_ENV_VALUE",
            format!("`{key}` cannot have a NUL byte in its value"),
        ));
    }
    let room = VARIABLE_MAX - key.as_str().len() - 1;
    if value.len() > room {
        let message = format!("`{key}` may have a value of {room} bytes, and this one has {}", value.len());
        return Err(Error::invalid(&field, "ENV_VALUE_TOO_LARGE", message));
    }
    Ok(())
}

fn check_total(bytes: usize) -> Result<()> {
    if bytes <= TOTAL_MAX {
        return Ok(());
    }
    let message = format!("all variables together may have {TOTAL_MAX} bytes, and these have {bytes}");
    Err(Error::invalid("env_vars", "ENV_TOO_LARGE", message))
}

fn twice(field: &str, key: &EnvKey) -> Error {
    Error::invalid(&format!("{field}.key"), "DUPLICATE_ENV_KEY", format!("`{key}` is there twice"))
}

fn unreadable(error: VaultError) -> Error {
    let message = "stored environment variables do not open with the keys in keys.json; restore that file, \
        or set the variables anew";
    Error::conflict("ENV_UNREADABLE", message).because(error)
}

fn place(project: &ProjectId, key: &str) -> String {
    format!("env_vars/{project}/{key}")
}

fn registry_place(project: &ProjectId) -> String {
    format!("projects/{project}/registry_password_sealed")
}

fn snapshot_place(project: &ProjectId) -> String {
    format!("deployments/{project}/env_sealed")
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(env_list, env_replace))
}

/// A bare list, or the same as `env_vars`. Not an untagged enum: that would not say which field is wrong.
struct EnvBody(Vec<api::EnvVarUpdate>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedEnv {
    env_vars: Vec<api::EnvVarUpdate>,
}

impl<'de> Deserialize<'de> for EnvBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(EnvBodyVisitor)
    }
}

struct EnvBodyVisitor;

impl<'de> Visitor<'de> for EnvBodyVisitor {
    type Value = EnvBody;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of variables")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<EnvBody, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(EnvBody)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<EnvBody, A::Error> {
        NamedEnv::deserialize(MapAccessDeserializer::new(map)).map(|named| EnvBody(named.env_vars))
    }
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
    Json(EnvBody(updates)): Json<EnvBody>,
) -> Result<axum::Json<Vec<api::EnvVar>>> {
    let project = projects.find(&id).await?;
    environment.replace(&project.id, updates).await?;
    Ok(axum::Json(environment.list(&project.id).await?))
}

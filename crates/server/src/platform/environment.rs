//! What a project's processes are given: variables and files, sealed when they come in, opened only for its nodes.

mod runtime;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::project::Registry;
use ids::{EnvKey, ProjectId};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use store::{Store, StoredVariable, Tx};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::RuntimeFile;

use crate::caller::User;
use crate::config::RuntimeLimits;
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
    limits: RuntimeLimits,
}

/// What a process is given, opened.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Given {
    pub(crate) env: Vec<(String, String)>,
    pub(crate) files: Vec<RuntimeFile>,
}

/// As snapshots have it: those of earlier servers are the variables alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Snapshot {
    Variables(Vec<(String, String)>),
    Given { env: Vec<(String, String)>, files: Vec<RuntimeFile> },
}

impl Environment {
    pub(crate) fn new(store: Store, vault: Arc<Vault>, limits: RuntimeLimits) -> Self {
        Self { store, vault, limits }
    }

    /// Seals variables that were checked, each as a secret.
    pub(crate) fn seal_all(&self, project: &ProjectId, vars: &BTreeMap<EnvKey, String>) -> Result<Vec<StoredVariable>> {
        vars.iter().map(|(key, value)| self.seal(project, key, value, true)).collect()
    }

    fn seal(&self, project: &ProjectId, key: &EnvKey, value: &str, is_secret: bool) -> Result<StoredVariable> {
        let sealed = self.vault.seal(&place(project, key.as_str()), value).map_err(Error::internal)?;
        Ok(StoredVariable { key: key.as_str().to_owned(), sealed, is_secret, updated_at: now_ms() })
    }

    /// What the project's processes would be given now.
    pub(crate) async fn given(&self, tx: &mut Tx, project: &ProjectId) -> Result<Given> {
        let env = tx.env_list(project).await?.into_iter().map(|variable| {
            let value = self.vault.open(&place(project, &variable.key), &variable.sealed).map_err(unreadable)?;
            Ok((variable.key, value))
        });
        let env = env.collect::<Result<Vec<_>>>()?;
        let files = tx.runtime_file_list(project).await?.into_iter().map(|file| {
            let content = self.vault.open(&file_place(project, &file.path), &file.sealed).map_err(unreadable)?;
            Ok(RuntimeFile { path: file.path, content })
        });
        Ok(Given { env, files: files.collect::<Result<Vec<_>>>()? })
    }

    /// The same, sealed as one for a deployment and its release.
    pub(crate) async fn snapshot(&self, tx: &mut Tx, project: &ProjectId) -> Result<String> {
        let text = serde_json::to_string(&self.given(tx, project).await?).map_err(Error::internal)?;
        self.vault.seal(&snapshot_place(project), &text).map_err(Error::internal)
    }

    pub(crate) fn open_snapshot(&self, project: &ProjectId, sealed: &str) -> Result<Given> {
        let text = self.vault.open(&snapshot_place(project), sealed).map_err(unreadable)?;
        Ok(match serde_json::from_str(&text).map_err(Error::internal)? {
            Snapshot::Variables(env) => Given { env, files: Vec::new() },
            Snapshot::Given { env, files } => Given { env, files },
        })
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
        let shown = |it: StoredVariable| api::EnvVar { key: it.key, has_value: true, is_secret: it.is_secret };
        Ok(vars.into_iter().map(shown).collect())
    }

    async fn replace(&self, project: &ProjectId, updates: Vec<api::EnvVarUpdate>) -> Result<()> {
        let mut tx = self.store.write().await?;
        let mut stored = tx.env_list(project).await?.into_iter().map(|it| (it.key.clone(), it)).collect();
        self.check_count(updates.len(), BTreeMap::len(&stored))?;
        let mut set = Vec::new();
        let mut total = 0;
        for (index, update) in updates.into_iter().enumerate() {
            let field = format!("[{index}]");
            let key = parse_key(&field, &update.key)?;
            if set.iter().any(|known: &StoredVariable| known.key == key.as_str()) {
                return Err(twice(&field, &key));
            }
            let variable = self.updated(project, &field, &key, update, &mut stored)?;
            total += key.as_str().len() + OVERHEAD + Vault::opened_len(&variable.sealed);
            set.push(variable);
        }
        check_total(total)?;
        tx.env_replace(project, &set).await?;
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// One variable of a set that is written.
    fn updated(
        &self,
        project: &ProjectId,
        field: &str,
        key: &EnvKey,
        update: api::EnvVarUpdate,
        stored: &mut BTreeMap<String, StoredVariable>,
    ) -> Result<StoredVariable> {
        let kept = stored.remove(key.as_str());
        let is_secret = update.is_secret.or(kept.as_ref().map(|kept| kept.is_secret)).unwrap_or(true);
        let refuse = |message| Error::invalid(&format!("{field}.value"), "ENV_VALUE_MISSING", message);
        match (update.value, kept) {
            (Some(value), _) => {
                check_value(field, key, &value)?;
                self.seal(project, key, &value, is_secret)
            }
            // Else whoever may write could read what was never to be shown.
            (None, Some(kept)) if kept.is_secret && !is_secret => {
                Err(refuse(format!("the value of `{key}` is secret; send it anew to have it shown from now on")))
            }
            (None, Some(kept)) => Ok(StoredVariable { is_secret, ..kept }),
            (None, None) => Err(refuse(format!("`{key}` has no stored value to keep; send one"))),
        }
    }

    /// Checks the variables of a new project.
    pub(crate) fn parse_all(&self, vars: &[api::EnvVarInput]) -> Result<BTreeMap<EnvKey, String>> {
        self.check_count(vars.len(), 0)?;
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

    /// Where there are more already, as the limit was another one, there may be as many.
    fn check_count(&self, count: usize, stored: usize) -> Result<()> {
        let max = self.limits.env_vars;
        if count <= max.max(stored) {
            return Ok(());
        }
        let message = format!("a project may have {max} variables; remove one that is not needed");
        Err(Error::invalid("env_vars", "ENV_TOO_MANY", message))
    }
}

fn parse_key(field: &str, key: &str) -> Result<EnvKey> {
    let refuse = |error: ids::Invalid| Error::invalid(&within(field, "key"), "INVALID_ENV_KEY", error.to_string());
    key.parse().map_err(refuse)
}

/// Whether a process can be given the value at all: found out now, and not when the next deployment starts.
fn check_value(field: &str, key: &EnvKey, value: &str) -> Result<()> {
    let field = within(field, "value");
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

/// A field of one of a list, or of the request itself.
fn within(entry: &str, field: &str) -> String {
    if entry.is_empty() { field.to_owned() } else { format!("{entry}.{field}") }
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
    let message = "stored variables or files do not open with the keys in keys.json; restore that file, \
        or set them anew";
    Error::conflict("ENV_UNREADABLE", message).because(error)
}

fn place(project: &ProjectId, key: &str) -> String {
    format!("env_vars/{project}/{key}")
}

fn file_place(project: &ProjectId, path: &str) -> String {
    format!("runtime_files/{project}/{path}")
}

fn registry_place(project: &ProjectId) -> String {
    format!("projects/{project}/registry_password_sealed")
}

fn snapshot_place(project: &ProjectId) -> String {
    format!("deployments/{project}/env_sealed")
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(env_list, env_replace)).merge(runtime::routes())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_of_earlier_servers_are_read() {
        let old = serde_json::from_str::<Snapshot>(r#"[["A","1"],["B",""]]"#);
        assert!(matches!(old, Ok(Snapshot::Variables(env)) if env.len() == 2 && env[0] == ("A".into(), "1".into())));
        let file = RuntimeFile { path: "~/x".into(), content: "1".into() };
        let given = Given { env: vec![("A".into(), "1".into())], files: vec![file.clone()] };
        let text = serde_json::to_string(&given).unwrap();
        let read = serde_json::from_str::<Snapshot>(&text);
        assert!(matches!(read, Ok(Snapshot::Given { env, files }) if env == given.env && files == [file]));
    }
}

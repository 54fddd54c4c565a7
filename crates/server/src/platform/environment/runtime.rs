//! Variables and files one by one, plain ones with their values.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use ids::{ProjectId, RuntimePath};
use serde::Deserialize;
use store::{StoredFile, StoredVariable};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Environment, OVERHEAD, check_total, check_value, file_place, parse_key, place, unreadable};
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::platform::projects::{ProjectRef, Projects};
use crate::platform::vault::Vault;
use crate::state::AppState;
use crate::{now_ms, rfc3339};

impl Environment {
    async fn config(&self, project: &ProjectId) -> Result<api::RuntimeConfig> {
        let mut tx = self.store.read().await?;
        let env_vars = tx.env_list(project).await?;
        let files = tx.runtime_file_list(project).await?;
        let variable = |it: StoredVariable| {
            let open = || self.vault.open(&place(project, &it.key), &it.sealed).map_err(unreadable);
            let value = if it.is_secret { None } else { Some(open()?) };
            let updated_at = rfc3339(it.updated_at);
            Ok(api::RuntimeEnvVar { key: it.key, value, is_secret: it.is_secret, has_value: true, updated_at })
        };
        let file = |it: StoredFile| {
            let open = || self.vault.open(&file_place(project, &it.path), &it.sealed).map_err(unreadable);
            Ok(api::RuntimeFile {
                content: if it.is_secret { None } else { Some(open()?) },
                size_bytes: Vault::opened_len(&it.sealed) as u64,
                is_secret: it.is_secret,
                updated_at: rfc3339(it.updated_at),
                path: it.path,
            })
        };
        Ok(api::RuntimeConfig {
            env_vars: env_vars.into_iter().map(variable).collect::<Result<_>>()?,
            files: files.into_iter().map(file).collect::<Result<_>>()?,
        })
    }

    /// Whether there was none of this name.
    async fn variable_set(&self, project: &ProjectId, set: api::RuntimeEnvVarSet) -> Result<bool> {
        let key = parse_key("", &set.key)?;
        check_value("", &key, &set.value)?;
        let max = self.limits.value_bytes;
        if set.value.len() > max {
            let message = format!("a variable may have a value of {max} bytes, and this one has {}", set.value.len());
            return Err(Error::invalid("value", "ENV_VALUE_TOO_LARGE", message));
        }
        let mut tx = self.store.write().await?;
        let stored = tx.env_list(project).await?;
        let old = stored.iter().find(|it| it.key == key.as_str());
        let others = stored.iter().filter(|it| it.key != key.as_str());
        let taken = others.map(|it| it.key.len() + OVERHEAD + Vault::opened_len(&it.sealed)).sum::<usize>();
        check_total(taken + key.as_str().len() + OVERHEAD + set.value.len())?;
        if old.is_none() {
            self.check_count(stored.len() + 1, 0)?;
        }
        let is_secret = set.is_secret.or(old.map(|it| it.is_secret)).unwrap_or(true);
        let variable = self.seal(project, &key, &set.value, is_secret)?;
        tx.env_put(project, &variable).await?;
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        tx.commit().await?;
        Ok(old.is_none())
    }

    async fn variable_remove(&self, project: &ProjectId, key: &str) -> Result<()> {
        let mut tx = self.store.write().await?;
        // No other text is the name of one, and a database may refuse to look for it.
        let key = key.parse::<ids::EnvKey>().map_err(|_| Error::not_found("variable"))?;
        if !tx.env_delete(project, key.as_str()).await? {
            return Err(Error::not_found("variable"));
        }
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// Whether there was none at this path.
    async fn file_set(&self, project: &ProjectId, set: api::RuntimeFileSet) -> Result<bool> {
        let path = self.parse_path(&set.path)?;
        let max = self.limits.content_bytes;
        if set.content.len() > max {
            let message = format!("a file may have {max} bytes, and this one has {}", set.content.len());
            return Err(Error::invalid("content", "RUNTIME_FILE_TOO_LARGE", message));
        }
        let mut tx = self.store.write().await?;
        let stored = tx.runtime_file_list(project).await?;
        let old = stored.iter().find(|it| it.path == path.as_str());
        if old.is_none() && stored.len() >= self.limits.files {
            let message = format!("a project may have {} files; remove one that is not needed", self.limits.files);
            return Err(Error::invalid("path", "RUNTIME_FILES_TOO_MANY", message));
        }
        if let Some(other) = stored.iter().find(|it| path.collides(&it.path)) {
            let message = format!("`{}` is there already, and one would be a directory of the other", other.path);
            return Err(Error::invalid("path", "RUNTIME_FILE_COLLIDES", message));
        }
        let sealed = self.vault.seal(&file_place(project, path.as_str()), &set.content).map_err(Error::internal)?;
        let is_secret = set.is_secret.or(old.map(|it| it.is_secret)).unwrap_or(true);
        let file = StoredFile { path: path.as_str().to_owned(), sealed, is_secret, updated_at: now_ms() };
        tx.runtime_file_put(project, &file).await?;
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        tx.commit().await?;
        Ok(old.is_none())
    }

    async fn file_remove(&self, project: &ProjectId, path: &str) -> Result<()> {
        let path = self.parse_path(path)?;
        let mut tx = self.store.write().await?;
        if !tx.runtime_file_delete(project, path.as_str()).await? {
            return Err(Error::not_found("file"));
        }
        tx.event_insert("project.updated", Some(project), None, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    fn parse_path(&self, text: &str) -> Result<RuntimePath> {
        let refuse = |message: String| Error::invalid("path", "INVALID_RUNTIME_FILE_PATH", message);
        let max = self.limits.path_length;
        if text.chars().count() > max {
            return Err(refuse(format!("a file's path may have {max} characters")));
        }
        text.parse().map_err(|error: ids::Invalid| refuse(error.to_string()))
    }
}

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(runtime_config))
        .routes(routes!(runtime_env_var_set))
        .routes(routes!(runtime_env_var_remove))
        .routes(routes!(runtime_file_set, runtime_file_remove))
}

fn status(is_new: bool) -> StatusCode {
    if is_new { StatusCode::CREATED } else { StatusCode::OK }
}

/// What the project's processes and workspaces are given: variables and files. Those that are secret come without value.
#[utoipa::path(get, path = "/api/projects/{id}/runtime-config", tag = "projects", params(("id" = String, Path)),
    responses((status = 200, body = api::RuntimeConfig), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn runtime_config(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::RuntimeConfig>> {
    let project = projects.find(&id).await?;
    Ok(axum::Json(environment.config(&project.id).await?))
}

/// Sets one variable: 201 for a new one, 200 for one that was there. Takes effect with the next deployment.
#[utoipa::path(post, path = "/api/projects/{id}/runtime/env-vars", tag = "projects", params(("id" = String, Path)),
    request_body = api::RuntimeEnvVarSet, responses((status = 200, body = api::RuntimeConfig),
    (status = 201, body = api::RuntimeConfig), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn runtime_env_var_set(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    PathId(id): PathId<ProjectRef>,
    Json(set): Json<api::RuntimeEnvVarSet>,
) -> Result<(StatusCode, axum::Json<api::RuntimeConfig>)> {
    let project = projects.find(&id).await?;
    let is_new = environment.variable_set(&project.id, set).await?;
    Ok((status(is_new), axum::Json(environment.config(&project.id).await?)))
}

/// Removes one variable.
#[utoipa::path(delete, path = "/api/projects/{id}/runtime/env-vars/{key}", tag = "projects",
    params(("id" = String, Path), ("key" = String, Path)), responses((status = 204),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn runtime_env_var_remove(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode> {
    let project = projects.find(&id.parse().map_err(|_| Error::not_found("project"))?).await?;
    environment.variable_remove(&project.id, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets one file: 201 for a new one, 200 for one that was there. Takes effect with the next deployment.
#[utoipa::path(post, path = "/api/projects/{id}/runtime/files", tag = "projects", params(("id" = String, Path)),
    request_body = api::RuntimeFileSet, responses((status = 200, body = api::RuntimeConfig),
    (status = 201, body = api::RuntimeConfig), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn runtime_file_set(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    PathId(id): PathId<ProjectRef>,
    Json(set): Json<api::RuntimeFileSet>,
) -> Result<(StatusCode, axum::Json<api::RuntimeConfig>)> {
    let project = projects.find(&id).await?;
    let is_new = environment.file_set(&project.id, set).await?;
    Ok((status(is_new), axum::Json(environment.config(&project.id).await?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FilePath {
    /// Of the file, as it is listed.
    path: String,
}

/// Removes one file.
#[utoipa::path(delete, path = "/api/projects/{id}/runtime/files", tag = "projects",
    params(("id" = String, Path), FilePath), responses((status = 204), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn runtime_file_remove(
    _: User,
    State(projects): State<Projects>,
    State(environment): State<Environment>,
    PathId(id): PathId<ProjectRef>,
    Query(FilePath { path }): Query<FilePath>,
) -> Result<StatusCode> {
    let project = projects.find(&id).await?;
    environment.file_remove(&project.id, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}

use domain::project::{Placing, Project, ProjectSettings, Registry, RuntimeSettings};
use ids::{DeploymentId, ProjectId, ProjectName, Slug, SourceKind};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{json, to_json};
use crate::{StoreError, StoreResult, Tx};

const COLUMNS: &str = "id, name, slug, node_id, source, repo_url, branch, root_directory, install_command, \
    build_command, run_command, output_directory, health_path, runtime, port, upload_id, deleting, created_by, \
    created_at, updated_at, releases_kept, watch_paths, image, registry_username, registry_password_sealed, builder, \
    dockerfile_path, replicas, node_labels, reschedule";

/// What an owner may change afterwards.
#[derive(Debug, Clone)]
pub struct ProjectPatch<'a> {
    pub name: &'a str,
    pub source: SourceKind,
    pub settings: &'a ProjectSettings,
    pub runtime: &'a RuntimeSettings,
    pub placing: &'a Placing,
}

fn project(row: &AnyRow) -> StoreResult<Project> {
    let upload: Option<String> = row.try_get("upload_id")?;
    let port: i64 = row.try_get("port")?;
    let releases_kept: Option<i64> = row.try_get("releases_kept")?;
    Ok(Project {
        id: parse("project id", row.try_get("id")?)?,
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        node_id: parse("node id", row.try_get("node_id")?)?,
        placing: Placing {
            replicas: u32::try_from(row.try_get::<i64, _>("replicas")?).unwrap_or(1),
            labels: json("labels", row.try_get("node_labels")?)?,
            reschedule: row.try_get::<i64, _>("reschedule")? == 1,
        },
        source: parse("source kind", row.try_get("source")?)?,
        settings: ProjectSettings {
            repo_url: row.try_get("repo_url")?,
            branch: row.try_get("branch")?,
            root_directory: row.try_get("root_directory")?,
            watch_paths: json("watch paths", row.try_get("watch_paths")?)?,
            install_command: row.try_get("install_command")?,
            build_command: row.try_get("build_command")?,
            run_command: row.try_get("run_command")?,
            output_directory: row.try_get("output_directory")?,
            health_path: row.try_get("health_path")?,
            releases_kept: releases_kept.and_then(|count| u32::try_from(count).ok()),
            image: row.try_get("image")?,
            registry: Registry {
                username: row.try_get("registry_username")?,
                password_sealed: row.try_get("registry_password_sealed")?,
            },
            builder: parse("builder", row.try_get("builder")?)?,
            dockerfile_path: row.try_get("dockerfile_path")?,
        },
        runtime: json("runtime settings", row.try_get("runtime")?)?,
        port: u16::try_from(port).map_err(|_| StoreError::Corrupt { what: "port", value: port.to_string() })?,
        upload: upload.map(|id| parse("upload id", &id)).transpose()?,
        deleting: row.try_get::<i64, _>("deleting")? == 1,
        created_by: parse("user id", row.try_get("created_by")?)?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

impl Tx {
    /// [`StoreError::Taken`] when name, slug or port belong to another one.
    pub async fn project_insert(&mut self, project: &Project) -> StoreResult<()> {
        let settings = &project.settings;
        sqlx::query(
            "insert into projects (id, name, slug, node_id, source, repo_url, branch, root_directory, \
             install_command, build_command, run_command, output_directory, health_path, port, upload_id, \
             created_by, created_at, updated_at, runtime, releases_kept, watch_paths, image, registry_username, \
             registry_password_sealed, builder, dockerfile_path, replicas, node_labels, reschedule) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
             $23, $24, $25, $26, $27, $28, $29)",
        )
        .bind(project.id.as_str())
        .bind(&project.name)
        .bind(&project.slug)
        .bind(project.node_id.as_str())
        .bind(project.source.as_str())
        .bind(&settings.repo_url)
        .bind(&settings.branch)
        .bind(&settings.root_directory)
        .bind(&settings.install_command)
        .bind(&settings.build_command)
        .bind(&settings.run_command)
        .bind(&settings.output_directory)
        .bind(&settings.health_path)
        .bind(i64::from(project.port))
        .bind(project.upload.as_ref().map(DeploymentId::as_str))
        .bind(project.created_by.as_str())
        .bind(project.created_at)
        .bind(project.updated_at)
        .bind(to_json(&project.runtime))
        .bind(settings.releases_kept.map(i64::from))
        .bind(to_json(&settings.watch_paths))
        .bind(&settings.image)
        .bind(&settings.registry.username)
        .bind(&settings.registry.password_sealed)
        .bind(settings.builder.as_str())
        .bind(&settings.dockerfile_path)
        .bind(i64::from(project.placing.replicas))
        .bind(to_json(&project.placing.labels))
        .bind(i64::from(project.placing.reschedule))
        .execute(&mut *self.inner)
        .await?;
        self.placement_want(&project.id, &project.node_id, project.created_at).await
    }

    pub async fn project(&mut self, id: &ProjectId) -> StoreResult<Option<Project>> {
        let row = sqlx::query(&format!("select {COLUMNS} from projects where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(project).transpose()
    }

    pub async fn project_by_slug(&mut self, slug: &Slug) -> StoreResult<Option<Project>> {
        let row = sqlx::query(&format!("select {COLUMNS} from projects where slug = $1"))
            .bind(slug.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(project).transpose()
    }

    pub async fn project_name_exists(&mut self, name: &ProjectName) -> StoreResult<bool> {
        let row = sqlx::query("select count(*) from projects where name = $1")
            .bind(name.as_str())
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }

    /// By name.
    pub async fn project_list(&mut self) -> StoreResult<Vec<Project>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from projects order by name, id"))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(project).collect()
    }

    /// Only a project of uploads keeps one.
    pub async fn project_update(&mut self, id: &ProjectId, patch: ProjectPatch<'_>, now: i64) -> StoreResult<()> {
        let settings = patch.settings;
        sqlx::query(
            "update projects set name = $2, repo_url = $3, branch = $4, root_directory = $5, install_command = $6, \
             build_command = $7, run_command = $8, output_directory = $9, health_path = $10, updated_at = $11, \
             source = $12, upload_id = case when $12 = 'upload' then upload_id else null end, runtime = $13, \
             releases_kept = $14, watch_paths = $15, image = $16, registry_username = $17, \
             registry_password_sealed = $18, builder = $19, dockerfile_path = $20, replicas = $21, node_labels = $22, \
             reschedule = $23 where id = $1",
        )
        .bind(id.as_str())
        .bind(patch.name)
        .bind(&settings.repo_url)
        .bind(&settings.branch)
        .bind(&settings.root_directory)
        .bind(&settings.install_command)
        .bind(&settings.build_command)
        .bind(&settings.run_command)
        .bind(&settings.output_directory)
        .bind(&settings.health_path)
        .bind(now)
        .bind(patch.source.as_str())
        .bind(to_json(patch.runtime))
        .bind(settings.releases_kept.map(i64::from))
        .bind(to_json(&settings.watch_paths))
        .bind(&settings.image)
        .bind(&settings.registry.username)
        .bind(&settings.registry.password_sealed)
        .bind(settings.builder.as_str())
        .bind(&settings.dockerfile_path)
        .bind(i64::from(patch.placing.replicas))
        .bind(to_json(&patch.placing.labels))
        .bind(i64::from(patch.placing.reschedule))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// The upload that the next build takes, which makes it a project of uploads.
    pub async fn project_set_upload(&mut self, id: &ProjectId, upload: &DeploymentId, now: i64) -> StoreResult<()> {
        sqlx::query("update projects set upload_id = $2, source = 'upload', updated_at = $3 where id = $1")
            .bind(id.as_str())
            .bind(upload.as_str())
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Whether it was not being deleted before.
    pub async fn project_mark_deleting(&mut self, id: &ProjectId, now: i64) -> StoreResult<bool> {
        let done = sqlx::query("update projects set deleting = 1, updated_at = $2 where id = $1 and deleting = 0")
            .bind(id.as_str())
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a project whose node has confirmed that nothing is left of it.
    pub async fn project_delete(&mut self, id: &ProjectId) -> StoreResult<bool> {
        let done = sqlx::query("delete from projects where id = $1 and deleting = 1")
            .bind(id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The next number of the project's deployments.
    pub async fn project_next_number(&mut self, id: &ProjectId) -> StoreResult<i64> {
        let row = sqlx::query(
            "update projects set deployments_count = deployments_count + 1 where id = $1 returning deployments_count",
        )
        .bind(id.as_str())
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(row.try_get(0)?)
    }
}

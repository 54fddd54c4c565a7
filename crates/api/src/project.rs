use std::collections::BTreeMap;

use ids::{Builder, NodeId, Outward, PlacementState, ProjectId, ProjectStatus, SourceKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deployment, EnvVarInput, Time};

/// Without `repo_url` or `image` the project waits for an upload (`PUT /api/projects/{id}/source`).
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectCreate {
    pub name: String,
    /// The repository's https address, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,
    /// Any branch or tag; the repository's default branch when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where in the repository the app lies; its top when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<String>,
    /// Which changes of the repository concern this project, for a redeploy with `if_changed`: patterns as in a
    /// `.gitignore`, from the repository's top; `!` takes paths out. What lies below the root directory when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["packages/api/**", "package-lock.json"]))]
    pub watch_paths: Vec<String>,
    /// Quoted as in a shell; `&&`, `|`, `;` and `$VAR` work inside the build's sandbox. Detected when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_command: Option<String>,
    /// What of the built tree is run or, for a static site, served; relative to the root directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_directory: Option<String>,
    /// The stable loopback port at which the node also answers for this project, 3100 or higher; a free one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// The path the probe asks for; `/` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// What its processes may reach. Takes effect with the next deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSettings>,
    /// Directories that outlive releases; at most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<Volume>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitSettings>,
    /// How many releases a rollback can choose from, 1 to 100, beside the pinned ones. The server's default when 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases_kept: Option<u32>,
    /// An image to run instead of files to build, like `nginx:1.27` or `ghcr.io/owner/app`. A deployment takes what its
    /// name means then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Who the image's registry is asked as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_username: Option<String>,
    /// Password or token. Kept sealed, and never returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_password: Option<String>,
    /// What makes a release of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<Builder>,
    /// Where the Dockerfile is, relative to the root directory; `Dockerfile` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_vars: Vec<EnvVarInput>,
    /// Where it runs; when absent, a server with the labels that has most room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// On how many servers it runs at once, 1 to 100, as far as there are as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Only on servers with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_labels: Option<BTreeMap<String, String>>,
    /// Whether it moves to another server when its own is lost for long (`limits.reschedule_after_seconds`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reschedule: Option<bool>,
}

/// Absent fields stay as they are; an empty text goes back to detection. Takes effect with the next deployment.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Makes a project of uploads one of this repository. A project of a repository cannot do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<String>,
    /// The whole list; an empty one goes back to the root directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch_paths: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// What its processes may reach. Takes effect with the next deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSettings>,
    /// Directories that outlive releases; at most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<Vec<Volume>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitSettings>,
    /// How many releases a rollback can choose from, 1 to 100, beside the pinned ones. The server's default when 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases_kept: Option<u32>,
    /// Makes the project one of this image. A project of an image cannot do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Who the image's registry is asked as; an empty text for nobody, which forgets the password too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_username: Option<String>,
    /// Password or token. Kept sealed, and never returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_password: Option<String>,
    /// What makes a release of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<Builder>,
    /// Where the Dockerfile is, relative to the root directory; `Dockerfile` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<String>,
    /// Moves it to this server, without a pause. One with volumes stays where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// On how many servers it runs at once, 1 to 100, as far as there are as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Only on servers with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_labels: Option<BTreeMap<String, String>>,
    /// Whether it moves to another server when its own is lost for long (`limits.reschedule_after_seconds`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reschedule: Option<bool>,
}

/// A project on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectPlacement {
    pub node_id: NodeId,
    /// The server's.
    pub name: String,
    pub state: PlacementState,
    /// Whether what is live is ready there, and the server can be reached.
    pub ready: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    /// The host name at the edge.
    #[schema(example = "hello-node.localhost")]
    pub domain: String,
    /// Where a browser finds it.
    #[schema(example = "http://hello-node.localhost:8080")]
    pub url: String,
    pub status: ProjectStatus,
    pub source: SourceKind,
    /// Where it is built, and where its jobs run.
    pub node_id: NodeId,
    /// Where it runs, and where it is on its way in or out.
    #[serde(default)]
    pub placements: Vec<ProjectPlacement>,
    pub replicas: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_labels: BTreeMap<String, String>,
    pub reschedule: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<String>,
    /// Which changes of the repository concern it; those below the root directory when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch_paths: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    pub network: NetworkSettings,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    pub limits: LimitSettings,
    /// How many releases a rollback can choose from, beside the pinned ones; the server's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases_kept: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_username: Option<String>,
    /// Whether a password for the registry is stored.
    #[serde(default)]
    pub has_registry_password: bool,
    #[serde(default)]
    pub builder: Builder,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<String>,
    pub port: u16,
    /// Why the node does not answer at that port at the moment; it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_error: Option<String>,
    /// Why a process of the live deployment does not run at the moment: `VOLUME_FULL`, `APP_EXITED` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "VOLUME_FULL")]
    pub down_code: Option<String>,
    /// The same as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_reason: Option<String>,
    /// The deployment that answers now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_deployment: Option<Deployment>,
    /// The newest one, whatever became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_deployment: Option<Deployment>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What a project's processes may reach beyond their own loopback. Never other projects, the machine itself
/// or the metadata address of a cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// `open`: the internet, no private network. `only`: `destinations` and nothing else. `none`.
    pub outward: Outward,
    /// Like `api.stripe.com:443`, `203.0.113.7` or `10.1.0.0/16:5432`.
    pub destinations: Vec<String>,
    /// Ports of the machine's loopback, a database's for example, that appear on the project's own.
    pub host_ports: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    #[schema(example = "data")]
    pub name: String,
    /// Where processes see it.
    #[schema(example = "/data")]
    pub path: String,
    /// Most megabytes that its files may take, from now on; the server's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_mb: Option<u64>,
}

/// What a volume takes of the disk. Beyond its limit the project's processes are stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeUse {
    pub name: String,
    pub used_bytes: u64,
    pub limit_bytes: u64,
}

/// Volumes of the project, and of its kept releases, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VolumeUseList {
    pub volumes: Vec<VolumeUse>,
}

/// Absent means the server's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
    /// Of one core: 150 is one and a half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_memory_mb: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProjectCreated {
    pub project: Project,
    /// Absent when the project waits for an upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Deployment>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProjectList {
    pub projects: Vec<Project>,
}

/// Asks what a deployment of this source would do, without making anything.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    pub repo_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<String>,
}

/// How a project is built and run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    #[schema(example = "node")]
    pub kind: String,
    /// A sentence for each choice.
    pub reasons: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_command: Option<String>,
    /// Absent for a static site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_directory: Option<String>,
    /// Kept running beside the one that answers visitors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<NamedCommand>,
    /// Has to succeed before a release goes live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_command: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<PlannedSchedule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedCommand {
    #[schema(example = "worker")]
    pub name: String,
    pub command: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedSchedule {
    pub name: String,
    pub schedule: String,
    pub command: String,
}

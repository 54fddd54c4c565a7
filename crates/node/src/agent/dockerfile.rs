//! From a directory with a Dockerfile to a release.

use std::collections::HashMap;
use std::path::PathBuf;

use domain::dockerfile::{self, Dockerfile};
use domain::redaction::Redactor;
use ids::{Builder, WorkloadId};
use wire::{BuildSpec, BuildStep, Failure};

use super::Agent;
use super::build::{log, node_error, report};
use super::process::failed;
use super::release::Manifest;
use crate::container::{self, Run, Seen};
use crate::engine::{self, Build, Engine, Names};

const USUAL: &str = "Dockerfile";
const DOCKERFILE_MAX: u64 = 1 << 20;
/// A shell says so of a program that was killed.
const KILLED: &str = "returned a non-zero code: 137";

/// How files become a release.
pub(super) enum Choice {
    /// By the Dockerfile, and why.
    Dockerfile(String),
    /// By the language's own tools; why not by the Dockerfile, where there is one.
    Native(Option<String>),
}

impl Agent {
    /// By the Dockerfile, or by the language's own tools.
    pub(super) async fn choose_builder(&self, spec: &BuildSpec) -> Result<Choice, Failure> {
        let settings = &spec.settings;
        let name = settings.dockerfile_path.as_deref().unwrap_or(USUAL);
        let text = self.dockerfile_text(spec, name);
        let is_there = text.is_ok();
        let refused = text.ok().and_then(|text| dockerfile::read(&text).err());
        let unused = |why: String| Choice::Native(Some(format!("`{name}` is not used: {why}")));
        Ok(match settings.builder {
            Builder::Native => Choice::Native(None),
            Builder::Dockerfile if !is_there => {
                let reason = format!(
                    "there is no file `{name}`, which the project is to be built by; add it, or set another builder"
                );
                return Err(self.failure(spec, "DOCKERFILE_MISSING", reason));
            }
            Builder::Dockerfile => {
                Engine::connect(self.docker_host()).await?;
                Choice::Dockerfile(format!("`{name}`: the project is to be built by it"))
            }
            Builder::Auto if !is_there => Choice::Native(None),
            Builder::Auto if settings.run_command.is_some() => {
                unused("a run command is set; to build by it all the same, set the builder to `dockerfile`".into())
            }
            // Nobody asked for it: the language may do as well.
            Builder::Auto if refused.is_some() => unused(refused.map(|why| why.to_string()).unwrap_or_default()),
            Builder::Auto => match Engine::connect(self.docker_host()).await {
                Ok(_) => Choice::Dockerfile(format!("`{name}` is there, and this node has a container engine")),
                Err(_) => unused("this node has no container engine".into()),
            },
        })
    }

    /// Has the engine build, and makes a release of the image.
    pub(super) async fn build_dockerfile(&self, spec: &BuildSpec, why: String) -> Result<Manifest, Failure> {
        log(self, spec, &[format!("plan: dockerfile: {why}")]);
        let name = spec.settings.dockerfile_path.as_deref().unwrap_or(USUAL);
        let text = self.dockerfile_text(spec, name).map_err(node_error)?;
        let refuse = |refused: dockerfile::Refused| self.failure(spec, refused.code(), refused.to_string());
        let dockerfile = dockerfile::read(&text).map_err(refuse)?;
        let engine = Engine::connect(self.docker_host()).await?;
        report(self, spec, |status| status.step = BuildStep::Build);
        let id = WorkloadId::from(&spec.id);
        for image in &dockerfile.images {
            self.fetch_base(spec, &engine, image).await?;
        }
        let hold = self.hold_build_network(spec, &engine, &id).await?;
        let (repository, tag) = self.image_name(&spec.group, &spec.id);
        let image = format!("{repository}:{tag}");
        let instance = self.confine().identities.instance();
        let build = Build {
            directory: self.build_directory(spec),
            dockerfile: name,
            name: image.clone(),
            instance: &instance,
            group: spec.group.as_str(),
            network_of: &hold,
            arguments: arguments(spec, &dockerfile),
            limits: &spec.limits,
        };
        let redactor = Redactor::new(spec.env.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let say = |line: &str| self.log_engine(spec, redactor.redact(line.to_owned()));
        let built = engine.build(build, say).await;
        self.remove_container(&id).await;
        built.map_err(|error| self.build_failure(spec, redactor.redact(engine::told(&error))))?;
        let facts = engine.image(&image).await.map_err(|error| engine::refused("look at the image", &error))?;
        let facts = facts.ok_or_else(|| failed("BUILD_FAILED", "the engine built, and has no image"))?;
        self.make_image_release(spec, "dockerfile", format!("built by `{name}`"), &facts)
    }

    fn build_failure(&self, spec: &BuildSpec, told: String) -> Failure {
        let megabytes = spec.limits.memory_bytes >> 20;
        let more = match told.contains(KILLED) {
            true => format!(
                "; it was killed, as happens to what needs more than the {megabytes} MB of memory a build may take (limits.build_memory_mb)"
            ),
            false => String::new(),
        };
        self.failure(spec, "BUILD_FAILED", format!("the Dockerfile's build failed: {told}{more}"))
    }

    /// Where its commands find the network that the project may reach; the container goes with the build.
    async fn hold_build_network(&self, spec: &BuildSpec, engine: &Engine, id: &WorkloadId) -> Result<String, Failure> {
        let instance = self.confine().identities.instance();
        let names = Names::of(&instance, id);
        // Without it nobody would know that there is a container to remove.
        Seen::default().write(&self.confine().layout.run(id)).map_err(node_error)?;
        let network = match super::container::own_network(&self.networks().join(id, &spec.network).await)? {
            // Nobody asks for sockets of it, and no port of the host's is answered for.
            sandbox::Network::Own { link, .. } => sandbox::Network::Own { sockets: None, ports: Vec::new(), link },
            sandbox::Network::Host => sandbox::Network::Host,
        };
        let run = Run {
            names: names.clone(),
            instance,
            group: spec.group.clone(),
            workload: id.clone(),
            image: String::new(),
            command: None,
            limits: spec.limits.clone(),
            volumes: Vec::new(),
            network,
            resolvers: crate::network::resolvers(),
        };
        engine
            .remove(&names.hold)
            .await
            .map_err(|error| engine::refused("remove a container that was left", &error))?;
        container::hold_network(engine, &run).await.map_err(container::Trouble::into_failure)?;
        Ok(names.hold)
    }

    /// Fetches an image to build upon, and looks at what it does when it is built upon. Only one without owner or registry may
    /// be the engine's own: who may have the others, their registry says, be they there for another project already.
    async fn fetch_base(&self, spec: &BuildSpec, engine: &Engine, image: &ids::ImageReference) -> Result<(), Failure> {
        let name = image.to_string();
        let refused = |error| engine::refused("look at images", &error);
        let known = if name.contains('/') { None } else { engine.triggers(&name).await.map_err(refused)? };
        let triggers = match known {
            Some(triggers) => triggers,
            None => {
                super::image::refuse_private(image).await?;
                engine.fetch(image, None, |line| self.log_engine(spec, line)).await?;
                engine.triggers(&name).await.map_err(refused)?.unwrap_or_default()
            }
        };
        let check = |trigger: &String| dockerfile::check_trigger(trigger);
        triggers.iter().try_for_each(check).map_err(|refused| self.failure(spec, refused.code(), refused.to_string()))
    }

    fn build_directory(&self, spec: &BuildSpec) -> PathBuf {
        self.confine().layout.release(&spec.group, &spec.id).join(&spec.settings.root_directory)
    }

    /// The file itself, and no link to another one.
    fn dockerfile_text(&self, spec: &BuildSpec, name: &str) -> std::io::Result<String> {
        use std::io::Read;
        let path = self.build_directory(spec).join(name);
        if !std::fs::symlink_metadata(&path)?.is_file() {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        let mut text = String::new();
        std::fs::File::open(path)?.take(DOCKERFILE_MAX).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// The project's variables that the Dockerfile asks for. What is given to it can be read in the image.
fn arguments(spec: &BuildSpec, dockerfile: &Dockerfile) -> HashMap<String, String> {
    let wanted = spec.env.iter().filter(|(key, _)| dockerfile.arguments.contains(key));
    wanted.cloned().collect()
}

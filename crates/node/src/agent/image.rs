//! From an image in a registry to a release.

use std::net::ToSocketAddrs;

use ids::{ImageReference, LogStream, RepoUrl, WorkloadId};
use wire::{BuildSpec, Credentials, Failure, Image, Plan, Program, ReleaseSpec, Runtime};

use super::Agent;
use super::build::{log, report};
use super::process::{OWN_PORT, failed};
use super::release::Manifest;
use crate::engine::{Engine, Facts};
use crate::layout::LogKind;

impl Agent {
    /// Has the engine fetch an image, and makes a release of what its name means now.
    pub(super) async fn fetch_image(
        &self,
        spec: &BuildSpec,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        allow_private: bool,
    ) -> Result<Manifest, Failure> {
        log(self, spec, &[format!("fetch: the image {reference}")]);
        let engine = Engine::connect(self.docker_host()).await?;
        if !allow_private {
            refuse_private(reference).await?;
        }
        let (name, tag) = self.image_name(&spec.group, &spec.id);
        let say = |line: String| self.log_engine(spec, line);
        let pulled = engine.pull(reference, credentials, (&name, &tag), say).await?;
        self.check_architecture(&engine, &pulled.facts).await?;
        let origin = match &pulled.digest {
            Some(digest) => format!("{}@{digest}", reference.repository()),
            None => reference.to_string(),
        };
        self.make_image_release(spec, "image", origin, &pulled.facts)
    }

    /// How an image that lies in the engine is run.
    pub(super) fn make_image_release(
        &self,
        spec: &BuildSpec,
        kind: &str,
        origin: String,
        facts: &Facts,
    ) -> Result<Manifest, Failure> {
        let (port, why) = choose_port(&facts.ports);
        let mut reasons = vec![format!("{kind} {origin}"), format!("visitors are sent to port {port}: {why}")];
        if let Some(command) = &spec.settings.run_command {
            reasons.push(format!("run `{command}`: set for the project, in place of the image's own command"));
        }
        for place in &facts.volumes {
            reasons.push(format!(
                "the image wants a volume at {place}: what is written there goes with each container, unless the project has a volume there"
            ));
        }
        log(self, spec, &reasons.iter().map(|reason| format!("plan: {reason}")).collect::<Vec<_>>());
        let plan = Plan {
            kind: kind.into(),
            reasons,
            install_command: None,
            build_command: None,
            run_command: spec.settings.run_command.clone(),
            output_directory: None,
            workers: Vec::new(),
            release_command: None,
            schedules: Vec::new(),
        };
        report(self, spec, |status| status.plan = Some(plan.clone()));
        let web = match &spec.settings.run_command {
            Some(command) => Program::Command { command: command.clone() },
            None => Program::Image,
        };
        let image = Image { id: facts.id.clone(), origin, port };
        let release = ReleaseSpec {
            kind: kind.into(),
            runtime: Runtime { image: Some(image), ..Runtime::default() },
            web: Some(web),
            workers: Vec::new(),
            release_command: None,
            schedules: Vec::new(),
        };
        Ok(Manifest { release, commit: None, plan })
    }

    /// An engine takes an image of another processor's too, where it is the only one.
    async fn check_architecture(&self, engine: &Engine, facts: &Facts) -> Result<(), Failure> {
        let version = engine.docker().version().await.ok();
        let own = version.and_then(|version| version.arch).unwrap_or_default();
        if own.is_empty() || facts.architecture.is_empty() || own == facts.architecture {
            return Ok(());
        }
        let reason = format!(
            "the image is made for {} and this node has {own}; publish the image for this one too",
            facts.architecture
        );
        Err(failed("WRONG_ARCHITECTURE", reason))
    }

    /// What the engine says goes into the build's log.
    pub(super) fn log_engine(&self, spec: &BuildSpec, line: String) {
        let id = WorkloadId::from(&spec.id);
        let record = std::iter::once((LogStream::Out, line));
        if let Err(error) = self.confine().log_records(&id, &spec.group, LogKind::Build, record) {
            tracing::warn!(%error, build.id = %spec.id, "cannot write a build log");
        }
    }
}

/// Where visitors are sent, and why there.
fn choose_port(exposed: &[u16]) -> (u16, String) {
    match exposed {
        [port] => (*port, "the one that the image exposes".into()),
        [] => (OWN_PORT, "the image exposes none, and this one is in its PORT variable".into()),
        several => {
            let list = several.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            (OWN_PORT, format!("the image exposes {list}, and this one is in its PORT variable"))
        }
    }
}

/// The engine looks the name up again when it connects: this keeps out what is meant, not what is forged.
pub(super) async fn refuse_private(reference: &ImageReference) -> Result<(), Failure> {
    let place = (reference.host().to_owned(), reference.port());
    let found = tokio::task::spawn_blocking(move || place.to_socket_addrs().map(Vec::from_iter)).await;
    let addresses = found.ok().and_then(Result::ok).unwrap_or_default();
    match addresses.iter().map(std::net::SocketAddr::ip).find(|ip| !RepoUrl::is_public(*ip)) {
        Some(ip) => Err(failed(
            "PRIVATE_HOST",
            format!(
                "the registry `{}` is at {ip}, which is not public; list it in `images.allow_hosts` if that is meant",
                reference.host()
            ),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_go_to_the_one_port() {
        assert_eq!(choose_port(&[8080]).0, 8080);
        assert_eq!(choose_port(&[]).0, OWN_PORT);
        assert_eq!(choose_port(&[80, 443]).0, OWN_PORT);
    }
}

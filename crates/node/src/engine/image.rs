//! Images: fetched, looked at, kept under a name of ours, and removed.

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder,
};
use futures_util::StreamExt;
use ids::ImageReference;
use wire::{Credentials, Failure};

use super::{Engine, refused, told};

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: String,
    /// As in `amd64`.
    pub(crate) architecture: String,
    /// TCP ports that it exposes, in order.
    pub(crate) ports: Vec<u16>,
    /// Where it wants volumes.
    pub(crate) volumes: Vec<String>,
}

/// An image that was fetched.
pub(crate) struct Pulled {
    pub(crate) facts: Facts,
    /// `sha256:…`, of what the registry has under the name.
    pub(crate) digest: Option<String>,
}

impl From<ImageInspect> for Facts {
    fn from(image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        let tcp = |port: String| port.strip_suffix("/tcp").unwrap_or(&port).parse().ok();
        let mut ports = config.exposed_ports.unwrap_or_default().into_iter().filter_map(tcp).collect::<Vec<u16>>();
        ports.sort_unstable();
        Self {
            id: image.id.unwrap_or_default(),
            architecture: image.architecture.unwrap_or_default(),
            ports,
            volumes: config.volumes.unwrap_or_default(),
        }
    }
}

impl Engine {
    /// What is known of an image under this name; None when there is none.
    pub(crate) async fn image(&self, name: &str) -> Result<Option<Facts>, Error> {
        match self.docker.inspect_image(name).await {
            Ok(image) => Ok(Some(image.into())),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fetches an image and keeps it as `name:tag`; says how it goes on, a line at a time.
    pub(crate) async fn pull(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        keep_as: (&str, &str),
        mut say: impl FnMut(String),
    ) -> Result<Pulled, Failure> {
        let separator = if reference.has_digest() { '@' } else { ':' };
        let pulled_name = format!("{}{separator}{}", reference.repository(), reference.version());
        let failed = |error: &Error| refused("look at images", error);
        let had_it = self.image(&pulled_name).await.map_err(|error| failed(&error))?.is_some();
        let digest = self.fetch(reference, credentials, &mut say).await?;
        let gone = || explain(reference, "it is not there although it was fetched");
        let facts = self.image(&pulled_name).await.map_err(|error| failed(&error))?.ok_or_else(gone)?;
        self.keep(&facts.id, keep_as).await.map_err(|error| refused("name an image", &error))?;
        // What is kept has a name of its own, and this one is nobody's.
        if !had_it && let Err(error) = self.untag(&pulled_name).await {
            tracing::debug!(%error, image = pulled_name, "a name of an image stays");
        }
        Ok(Pulled { facts, digest })
    }

    /// Fetches an image under its own name; its digest, where the registry says it.
    pub(crate) async fn fetch(
        &self,
        reference: &ImageReference,
        credentials: Option<&Credentials>,
        mut say: impl FnMut(String),
    ) -> Result<Option<String>, Failure> {
        let options =
            CreateImageOptionsBuilder::new().from_image(&reference.repository()).tag(reference.version()).build();
        let auth = credentials.map(|credentials| DockerCredentials {
            username: Some(credentials.username.clone()),
            password: Some(credentials.password.clone()),
            serveraddress: reference.registry().map(str::to_owned),
            ..DockerCredentials::default()
        });
        let mut digest = None;
        let mut progress = std::pin::pin!(self.docker.create_image(Some(options), None, auth));
        while let Some(event) = progress.next().await {
            let event = event.map_err(|error| explain(reference, &told(&error)))?;
            if let Some(found) = event.status.as_deref().and_then(|status| status.strip_prefix("Digest: ")) {
                digest = Some(found.to_owned());
            }
            line(event).into_iter().for_each(&mut say);
        }
        Ok(digest)
    }

    /// What an image does when it is built upon; None when there is no such image here.
    pub(crate) async fn triggers(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        match self.docker.inspect_image(name).await {
            Ok(image) => Ok(Some(image.config.and_then(|config| config.on_build).unwrap_or_default())),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives an image a name of ours, so that nobody clears it away.
    pub(crate) async fn keep(&self, id: &str, (name, tag): (&str, &str)) -> Result<(), Error> {
        let options = TagImageOptionsBuilder::new().repo(name).tag(tag).build();
        self.docker.tag_image(id, Some(options)).await
    }

    /// Takes a name from an image, which goes with its last one.
    pub(crate) async fn untag(&self, name: &str) -> Result<(), Error> {
        match self.docker.remove_image(name, None::<RemoveImageOptions>, None).await {
            // Not there, or a container still uses it: then it goes when somebody looks again.
            Ok(_) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Names of images that begin so, as `name:tag`.
    pub(crate) async fn image_names(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let images = self.docker.list_images(Some(ListImagesOptionsBuilder::new().build())).await?;
        let names = images.into_iter().flat_map(|image| image.repo_tags);
        // Podman has a registry of its own for what is only here.
        let bare = |name: String| name.strip_prefix("localhost/").map(str::to_owned).unwrap_or(name);
        Ok(names.map(bare).filter(|name| name.starts_with(prefix)).collect())
    }
}

/// What of the progress is worth a line: not every megabyte.
fn line(event: CreateImageInfo) -> Option<String> {
    let status = event.status?;
    let moves = event.progress_detail.is_some_and(|detail| detail.total.is_some() || detail.current.is_some());
    if moves || matches!(status.as_str(), "Waiting" | "Verifying Checksum" | "Pulling fs layer") {
        return None;
    }
    Some(match event.id {
        Some(id) => format!("{id}: {status}"),
        None => status,
    })
}

/// A registry's refusal as a code, and what to do about it.
fn explain(reference: &ImageReference, told: &str) -> Failure {
    let text = told.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let (code, advice) = if says(&["no basic auth", "unauthorized", "authentication required", "denied", "forbidden"]) {
        ("IMAGE_UNAUTHORIZED", "set the registry's user name and password for the project, or correct the image's name")
    } else if says(&["no matching manifest", "no image found in", "does not match the specified platform"]) {
        ("WRONG_ARCHITECTURE", "the image is not made for this node's processor; publish it for this one too")
    } else if says(&["not found", "manifest unknown", "name unknown", "does not exist"]) && !says(&["lookup "]) {
        ("IMAGE_NOT_FOUND", "correct the image's name or tag")
    } else if says(&["no space left"]) {
        ("DISK_FULL", "make room on the disk where the container engine keeps its images")
    } else if says(&["connection refused", "lookup ", "timeout", "no route", "unreachable", "tls", "certificate"]) {
        ("REGISTRY_UNREACHABLE", "see that the registry is up and that this node reaches it")
    } else {
        ("PULL_FAILED", "the container engine's own log may say more")
    };
    let reason = format!("the image `{reference}` cannot be fetched: {told}; {advice}");
    Failure { code: code.into(), reason, last_lines: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_codes() {
        let image: ImageReference = "127.0.0.1:5000/app:2".parse().unwrap();
        for (told, code) in [
            ("Head \"http://127.0.0.1:5000/v2/app/manifests/2\": no basic auth credentials", "IMAGE_UNAUTHORIZED"),
            (
                "pull access denied for app, repository does not exist or may require 'docker login'",
                "IMAGE_UNAUTHORIZED",
            ),
            ("manifest for 127.0.0.1:5000/app:2 not found: manifest unknown: manifest unknown", "IMAGE_NOT_FOUND"),
            ("no matching manifest for linux/amd64 in the manifest list entries", "WRONG_ARCHITECTURE"),
            (
                "Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
                "REGISTRY_UNREACHABLE",
            ),
            ("dial tcp: lookup registry.invalid: no such host", "REGISTRY_UNREACHABLE"),
            ("write /var/lib/docker/tmp/x: no space left on device", "DISK_FULL"),
            ("something else", "PULL_FAILED"),
        ] {
            assert_eq!(explain(&image, told).code, code, "{told}");
        }
    }
}

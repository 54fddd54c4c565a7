//! Where a project's files come from, and whom one is to be for that.

use domain::project::{Project, ProjectSettings};
use ids::{ImageReference, SourceKind};

use crate::error::{Error, Result};

/// Longest user name and password for a registry: tokens of some are long.
const CREDENTIAL_MAX: usize = 16 * 1024;

/// As the request has it, not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Git(String),
    Image(String),
    Upload,
}

impl Source {
    pub(super) fn kind(&self) -> SourceKind {
        match self {
            Self::Git(_) => SourceKind::Git,
            Self::Image(_) => SourceKind::Image,
            Self::Upload => SourceKind::Upload,
        }
    }

    /// Repository and image.
    pub(super) fn parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Git(url) => (Some(url), None),
            Self::Image(name) => (None, Some(name)),
            Self::Upload => (None, None),
        }
    }
}

fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Where the files of a new project come from.
pub(super) fn of(repo_url: Option<&str>, image: Option<&str>) -> Result<Source> {
    match (filled(repo_url), filled(image)) {
        (Some(_), Some(_)) => {
            let message = "a project has a repository or an image, not both; leave one of them out";
            Err(Error::invalid("image", "TWO_SOURCES", message))
        }
        (Some(url), None) => Ok(Source::Git(url)),
        (None, Some(image)) => Ok(Source::Image(image)),
        (None, None) => Ok(Source::Upload),
    }
}

/// Where they come from now.
pub(super) fn present(project: &Project) -> Source {
    let settings = &project.settings;
    match (project.source, &settings.repo_url, &settings.image) {
        (SourceKind::Git, Some(url), _) => Source::Git(url.clone()),
        (SourceKind::Image, _, Some(image)) => Source::Image(image.clone()),
        _ => Source::Upload,
    }
}

/// Where they come from after a change: naming a repository makes a project one of git, naming an image one of that.
pub(super) fn after(project: &Project, repo_url: Option<&str>, image: Option<&str>) -> Result<Source> {
    let named = of(repo_url, image)?;
    match (named, project.source) {
        (Source::Upload, SourceKind::Git) if repo_url.is_some() => {
            let message = "this project is deployed from a repository and needs its address; \
                to deploy a directory instead, upload one";
            Err(Error::invalid("repo_url", "INVALID_REPO_URL", message))
        }
        (Source::Upload, SourceKind::Image) if image.is_some() => {
            let message = "this project is an image and needs its name; to deploy something else, set its `repo_url`, or upload a directory";
            Err(Error::invalid("image", "INVALID_IMAGE", message))
        }
        (Source::Upload, _) => Ok(present(project)),
        (named, _) => Ok(named),
    }
}

/// Whether both are pulled from the same place.
pub(super) fn same_registry(one: &ProjectSettings, other: &ProjectSettings) -> bool {
    let place = |settings: &ProjectSettings| {
        let image = settings.image.as_deref()?.parse::<ImageReference>().ok()?;
        Some((image.host().to_owned(), image.port()))
    };
    place(one) == place(other)
}

pub(super) fn no_username() -> Error {
    let message = "a password for a registry needs a user name beside it";
    Error::invalid("registry_username", "REGISTRY_USERNAME_MISSING", message)
}

/// Refuses what no registry could be asked with.
pub(super) fn check_credentials(username: Option<&str>, password: Option<&str>) -> Result<()> {
    for (field, text) in [("registry_username", username), ("registry_password", password)] {
        if text.is_some_and(|text| text.len() > CREDENTIAL_MAX || text.contains('\0')) {
            let message = format!("it has at most {CREDENTIAL_MAX} bytes, and no NUL among them");
            return Err(Error::invalid(field, "INVALID_CREDENTIALS", message));
        }
    }
    Ok(())
}

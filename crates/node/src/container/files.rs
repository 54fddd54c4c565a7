//! The owner's files, put into a container that is made and not begun.

use std::io;
use std::path::{Path, PathBuf};

use bollard::errors::Error;
use bollard::models::ContainerConfig;
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, InspectContainerOptions, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt;
use wire::{Failure, RuntimeFile};

use super::runner::{Trouble, asked};
use crate::confine::files_at;
use crate::engine::{Engine, told};

/// In the run's directory, until the runner has read it: the files, for nobody but the node's own user.
pub(crate) const FILES: &str = "container-files.json";
const PASSWD: &str = "/etc/passwd";
/// Of an image's list of users. A longer one is not read.
const PASSWD_BYTES: usize = 1 << 20;

/// Whom the image's program runs as.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    uid: u64,
    gid: u64,
    home: PathBuf,
}

/// Places the files of this run, if it has any. `~` is the home directory of the image's user, and a relative path begins at the
/// image's working directory.
pub(super) async fn place(engine: &Engine, container: &str) -> Result<(), Trouble> {
    let files = match std::fs::read(FILES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    std::fs::remove_file(FILES)?;
    let files = serde_json::from_slice::<Vec<RuntimeFile>>(&files).map_err(io::Error::from)?;
    let inspected = engine.docker().inspect_container(container, None::<InspectContainerOptions>).await;
    let config = inspected.map_err(asked("look at the container"))?.config.unwrap_or_default();
    let account = account(&config, &users(engine, container).await);
    let start = config.working_dir.filter(|it| !it.is_empty()).unwrap_or_else(|| "/".into());
    let archive = archive(&files, &account, Path::new(&start))?;
    // Never a file in place of a directory: what lies in it would be gone.
    let options = UploadToContainerOptionsBuilder::new().path("/").no_overwrite_dir_non_dir("true").build();
    let placed =
        engine.docker().upload_to_container(container, Some(options), bollard::body_full(archive.into())).await;
    placed.map_err(|error| match error {
        Error::DockerResponseServerError { .. } => {
            let reason = format!(
                "the project's files cannot be placed in the container: {}; choose other paths for them",
                told(&error)
            );
            Trouble::Failure(Failure { code: "RUNTIME_FILE_NOT_PLACED".into(), reason, last_lines: Vec::new() })
        }
        error => Trouble::Engine("place the project's files", error),
    })
}

fn archive(files: &[RuntimeFile], account: &Account, start: &Path) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files_at(files, &account.home, start) {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        // Images that begin as root step down to users of their own, which only they know of.
        header.set_mode(if account.uid == 0 { 0o644 } else { 0o600 });
        header.set_uid(account.uid);
        header.set_gid(account.gid);
        let path = file.target.strip_prefix("/").unwrap_or(&file.target);
        archive.append_data(&mut header, path, file.content.as_bytes())?;
    }
    archive.into_inner()
}

/// The image's list of users; empty where it has none.
async fn users(engine: &Engine, container: &str) -> String {
    let options = DownloadFromContainerOptionsBuilder::new().path(PASSWD).build();
    let mut parts = engine.docker().download_from_container(container, Some(options));
    let mut bytes = Vec::new();
    while let Some(Ok(part)) = parts.next().await {
        bytes.extend_from_slice(&part);
        if bytes.len() > PASSWD_BYTES {
            return String::new();
        }
    }
    let mut archive = tar::Archive::new(bytes.as_slice());
    let file = archive.entries().ok().and_then(|mut entries| entries.next()?.ok());
    file.and_then(|file| io::read_to_string(file).ok()).unwrap_or_default()
}

/// As the engine finds it: by name or number, and `HOME` before the list's own.
fn account(config: &ContainerConfig, users: &str) -> Account {
    let user = config.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("0");
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    let entry = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entry.into_iter().find(|entry| entry.len() > 5 && (entry[0] == name || entry[2] == name));
    let listed = |place: usize| entry.as_ref().map(|entry| entry[place]);
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let variables = config.env.iter().flatten();
    let home = variables.filter_map(|variable| variable.strip_prefix("HOME=")).next_back().or(listed(5));
    Account {
        uid: number(listed(2)).or(number(Some(name))).unwrap_or_default(),
        gid: number(group).or(number(listed(3))).unwrap_or_default(),
        home: home.filter(|home| home.starts_with('/')).unwrap_or("/").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\nbroken\n";

    fn of(user: &str, env: &[&str]) -> (u64, u64, String) {
        let env = env.iter().map(ToString::to_string).collect();
        let config = ContainerConfig { user: Some(user.into()), env: Some(env), ..ContainerConfig::default() };
        let Account { uid, gid, home } = account(&config, USERS);
        (uid, gid, home.display().to_string())
    }

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        assert_eq!(of("", &[]), (0, 0, "/root".into()));
        assert_eq!(of("node", &[]), (1000, 1001, "/home/node".into()));
        assert_eq!(of("1000:7", &[]), (1000, 7, "/home/node".into()));
        assert_eq!(of("1234:1234", &[]), (1234, 1234, "/".into()));
        assert_eq!(of("nobody-knows", &[]), (0, 0, "/".into()));
        assert_eq!(of("node", &["A=b", "HOME=/app"]).2, "/app");
        assert_eq!(of("node", &["HOME=here"]).2, "/");
    }

    #[test]
    fn files_lie_where_the_image_has_its_places() {
        let files = ["~/.npmrc", "conf/a", "/etc/b"].map(|path| RuntimeFile { path: path.into(), content: "x".into() });
        let account = Account { uid: 5, gid: 6, home: "/home/five".into() };
        let archive = archive(&files, &account, Path::new("/app")).unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let told = entries.map(|it| {
            let header = it.header();
            (it.path().unwrap().display().to_string(), header.uid().unwrap(), header.mode().unwrap())
        });
        let expected = ["home/five/.npmrc", "app/conf/a", "etc/b"].map(|path| (path.to_owned(), 5, 0o600));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}

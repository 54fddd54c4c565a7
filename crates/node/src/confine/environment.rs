//! The variables a confined process starts with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Job, Role, join};

/// Where programs are looked for, in this order: what people installed for all users, then the system's. Go's and
/// Rust's own archives have their places below /usr/local.
pub(crate) const PROGRAM_DIRECTORIES: [&str; 8] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/local/go/bin",
    "/usr/local/cargo/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Variables that lead to a directory of the build cache, where each tool keeps what it downloads and what it
/// need not compile again.
const CACHES: [(&str, &str); 24] = [
    ("BUNDLE_USER_HOME", "bundle"),
    ("BUN_INSTALL_CACHE_DIR", "bun"),
    ("CARGO_HOME", "cargo"),
    ("CARGO_TARGET_DIR", "cargo-target"),
    ("COMPOSER_HOME", "composer"),
    ("COMPOSER_CACHE_DIR", "composer/cache"),
    ("GOCACHE", "go/build"),
    ("GOMODCACHE", "go/mod"),
    ("GOPATH", "go"),
    ("GRADLE_USER_HOME", "gradle"),
    ("MAVEN_USER_HOME", "maven"),
    ("PIPENV_CACHE_DIR", "pipenv"),
    ("PIP_CACHE_DIR", "pip"),
    ("PNPM_HOME", "pnpm"),
    ("POETRY_CACHE_DIR", "poetry"),
    ("POETRY_CONFIG_DIR", "poetry/config"),
    ("POETRY_DATA_DIR", "poetry/data"),
    ("UV_CACHE_DIR", "uv"),
    ("XDG_CACHE_HOME", ""),
    ("YARN_CACHE_FOLDER", "yarn"),
    ("YARN_GLOBAL_FOLDER", "yarn/berry"),
    ("npm_config_cache", "npm"),
    ("pnpm_config_store_dir", "pnpm/store"),
    ("pnpm_config_cache_dir", "pnpm/cache"),
];

/// What keeps tools from asking, and from leaving a part of the app outside of the release.
const HABITS: [(&str, &str); 16] = [
    ("BUNDLE_GLOBAL_GEM_CACHE", "true"),
    ("CI", "true"),
    ("COMPOSER_NO_INTERACTION", "1"),
    // A company's own authority is known to the machine, not to what these bring along; see also AUTHORITIES.
    ("DENO_TLS_CA_STORE", "system,mozilla"),
    ("UV_NATIVE_TLS", "true"),
    ("UV_SYSTEM_CERTS", "true"),
    // The owner of a read-only module cache could not remove it.
    ("GOFLAGS", "-modcacherw"),
    ("PIPENV_VENV_IN_PROJECT", "1"),
    ("POETRY_VIRTUALENVS_IN_PROJECT", "true"),
    ("RUSTUP_HOME", "/usr/local/rustup"),
    // A link into the cache would let a later build change this release.
    ("UV_LINK_MODE", "copy"),
    ("YARN_ENABLE_TELEMETRY", "0"),
    ("npm_config_update_notifier", "false"),
    ("pnpm_config_enable_global_virtual_store", "false"),
    ("pnpm_config_package_import_method", "copy"),
    ("pnpm_config_update_notifier", "false"),
];

/// The machine's certificate authorities, where Debian and Fedora keep them.
const AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The node's variables first, so that the owner's win; those that say where things are come last.
pub(super) fn environment(job: &Job<'_>, app: &Path, tmp: &Path, cache: &Path) -> Vec<(String, String)> {
    let own = job.runtime.path.iter().map(|directory| join(app, directory).display().to_string());
    let path = own.chain(PROGRAM_DIRECTORIES.map(str::to_owned)).collect::<Vec<_>>().join(":");
    let mut env = BTreeMap::from([
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), tmp.display().to_string()),
        ("TMPDIR".to_owned(), tmp.display().to_string()),
    ]);
    if job.role == Role::Build {
        env.extend(of_builds(app, cache));
    }
    let fixed = ["PORT", "HOME", "TMPDIR"];
    let owner = job.owner_env.iter().filter(|(key, _)| !fixed.contains(&key.as_str()));
    env.extend(job.runtime.env.iter().chain(&job.env).chain(owner).cloned());
    env.into_iter().collect()
}

fn of_builds(app: &Path, cache: &Path) -> impl Iterator<Item = (String, String)> {
    let text = |path: PathBuf| path.display().to_string();
    let caches = CACHES.map(|(name, directory)| (name, text(join(cache, directory))));
    let habits = HABITS.map(|(name, value)| (name, value.to_owned()));
    let paths = [
        ("MAVEN_OPTS", format!("-Dmaven.repo.local={}", text(cache.join("maven/repository")))),
        // An interpreter that uv downloads is part of the app.
        ("UV_PYTHON_INSTALL_DIR", text(app.join(".python"))),
    ];
    let authorities = AUTHORITIES
        .into_iter()
        .find(|file| Path::new(file).exists())
        .map(|file| ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"].map(|name| (name, file.to_owned())));
    let all = caches.into_iter().chain(habits).chain(paths).chain(authorities.into_iter().flatten());
    all.map(|(name, value)| (name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use ids::{DeploymentId, ProjectId};

    use super::*;
    use crate::confine::Program;
    use crate::layout::LogKind;

    fn variables(role: Role, owner_env: &[(String, String)]) -> BTreeMap<String, String> {
        let (release, group) = (DeploymentId::new(), ProjectId::new());
        let runtime = wire::Runtime {
            directory: String::new(),
            env: vec![("NODE_ENV".into(), "production".into())],
            path: vec!["node_modules/.bin".to_owned()],
            image: None,
        };
        let id = ids::WorkloadId::from(&release);
        let job = Job {
            id: &id,
            group: &group,
            release: &release,
            role,
            program: Program::Command(&[]),
            runtime: &runtime,
            env: Vec::new(),
            owner_env,
            file: None,
            files: &[],
            volumes: &[],
            network: sandbox::Network::Host,
            inside: None,
            log: (&id, LogKind::Run),
        };
        environment(&job, Path::new("/app"), Path::new("/tmp"), Path::new("/cache")).into_iter().collect()
    }

    #[test]
    fn only_builds_know_the_cache() {
        let build = variables(Role::Build, &[]);
        assert_eq!(build["CARGO_TARGET_DIR"], "/cache/cargo-target");
        assert_eq!(build["XDG_CACHE_HOME"], "/cache");
        assert_eq!(build["UV_PYTHON_INSTALL_DIR"], "/app/.python");
        let app = variables(Role::App, &[]);
        assert!(app.values().all(|value| !value.contains("/cache")), "{app:?}");
        assert!(app["PATH"].starts_with("/app/node_modules/.bin:/usr/local/sbin:"));
        assert_eq!(app["NODE_ENV"], "production");
    }

    #[test]
    fn the_owner_has_the_last_word_but_for_places() {
        let owner = ["NODE_ENV", "GOFLAGS", "HOME"].map(|name| (name.to_owned(), "mine".to_owned()));
        let build = variables(Role::Build, &owner);
        assert_eq!((build["NODE_ENV"].as_str(), build["GOFLAGS"].as_str()), ("mine", "mine"));
        assert_eq!(build["HOME"], "/tmp");
    }
}

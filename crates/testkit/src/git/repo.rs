use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Hold, Shared, git};

/// A repository on a [`GitServer`](super::GitServer), with a work tree to change it from.
#[derive(Debug)]
pub struct Repo {
    shared: Arc<Shared>,
    url: String,
    name: String,
    tree: PathBuf,
}

// === impl Repo ===

impl Repo {
    pub(super) fn create(shared: Arc<Shared>, url: String, name: &str) -> Self {
        let bare = shared.root().join(format!("{name}.git"));
        let tree = shared.directory.join("trees").join(name);
        for directory in [&bare, &tree] {
            fs::create_dir_all(directory).expect("make a directory");
        }
        let repo = Self { shared, url, name: name.to_owned(), tree };
        repo.run_in(&bare, &["init", "--quiet", "--bare", "--initial-branch", "main"]);
        // As the large hosts have it.
        for setting in ["uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"] {
            repo.run_in(&bare, &["config", setting, "true"]);
        }
        repo.run(&["init", "--quiet", "--initial-branch", "main"]);
        repo.run(&["remote", "add", "origin", &bare.to_string_lossy()]);
        repo.shared.change(name, |_| {});
        repo
    }

    /// What a project takes as `repo_url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The full id of the checked out branch's newest commit.
    pub fn head(&self) -> String {
        self.run(&["rev-parse", "HEAD"])
    }

    /// The work tree, for what there is no method for; then [`Repo::commit`].
    pub fn path(&self) -> &Path {
        &self.tree
    }

    /// Only who sends this user and password gets anything from now on.
    pub fn require(&self, user: &str, password: &str) {
        let credentials = Some((user.to_owned(), password.to_owned()));
        self.shared.change(&self.name, |settings| settings.credentials = credentials);
    }

    /// Only the newest commits of branches and tags are given to anybody from now on.
    pub fn refuse_older_commits(&self) {
        let bare = self.shared.root().join(format!("{}.git", self.name));
        self.run_in(&bare, &["config", "uploadpack.allowAnySHA1InWant", "false"]);
        self.shared.change(&self.name, |settings| settings.tips_only = true);
    }

    /// Fetches (not listings of references) wait from now on until the hold is released.
    pub fn hold(&self) -> Hold {
        self.shared.repos()[&self.name].gate.close()
    }

    /// Writes a file into the work tree.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> &Self {
        let path = self.tree.join(path);
        fs::create_dir_all(path.parent().expect("a file in the tree")).expect("make a directory");
        fs::write(&path, contents).expect("write a file");
        self
    }

    /// Deletes a file from the work tree.
    pub fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.tree.join(path)).expect("remove a file");
        self
    }

    /// Copies the files of a directory into the work tree.
    pub fn copy(&self, directory: &Path) -> &Self {
        copy(directory, &self.tree);
        self
    }

    /// Commits the work tree as it is, pushes it, and returns the commit's full id.
    pub fn commit(&self, message: &str) -> String {
        self.commit_as("Ada Example", "ada@example.com", message)
    }

    pub fn commit_as(&self, author: &str, email: &str, message: &str) -> String {
        self.run(&["add", "--all"]);
        let author = format!("{author} <{email}>");
        self.run(&["commit", "--quiet", "--allow-empty", "--author", &author, "--message", message]);
        self.run(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.head()
    }

    /// One file with new contents, committed and pushed.
    pub fn commit_file(&self, path: &str, contents: impl AsRef<[u8]>, message: &str) -> String {
        self.write(path, contents).commit(message)
    }

    /// The version the example apps tell, committed and pushed.
    pub fn commit_version(&self, version: &str) -> String {
        self.commit_file("version.txt", format!("{version}\n"), &format!("Version {version}"))
    }

    /// Makes a branch from here, pushes it and goes on in it.
    pub fn branch(&self, name: &str) -> &Self {
        self.run(&["checkout", "--quiet", "-b", name]);
        self.run(&["push", "--quiet", "origin", "HEAD"]);
        self
    }

    /// Goes on in another branch.
    pub fn checkout(&self, name: &str) -> &Self {
        self.run(&["checkout", "--quiet", name]);
        self
    }

    pub fn delete_branch(&self, name: &str) -> &Self {
        self.run(&["push", "--quiet", "origin", "--delete", name]);
        self
    }

    /// The host has it no more.
    pub fn delete_remote(&self) {
        self.shared.repos().remove(&self.name);
    }

    /// A lightweight tag here.
    pub fn tag(&self, name: &str) -> &Self {
        self.run(&["tag", name]);
        self.run(&["push", "--quiet", "origin", &format!("refs/tags/{name}")]);
        self
    }

    /// A tag that is an object of its own and points here.
    pub fn tag_annotated(&self, name: &str, message: &str) -> &Self {
        self.run(&["tag", "--annotate", "--message", message, name]);
        self.run(&["push", "--quiet", "origin", &format!("refs/tags/{name}")]);
        self
    }

    /// Any git command in the work tree; returns its trimmed output.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.run_in(&self.tree, arguments)
    }

    fn run_in(&self, directory: &Path, arguments: &[&str]) -> String {
        let mut command = git(&self.shared.directory);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Ada Example").env(format!("GIT_{role}_EMAIL"), "ada@example.com");
        }
        let output = command.current_dir(directory).args(arguments).output().expect("run git");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// What a tool left beside the sources is not part of them.
const LEFT_OUT: [&str; 4] = [".git", "node_modules", "__pycache__", ".venv"];

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("read a directory") {
        let entry = entry.expect("read a directory");
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("make a directory");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("copy a file");
        }
    }
}

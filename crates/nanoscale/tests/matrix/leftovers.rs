//! What is left of a server's work on the machine, beside what shall be there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use ids::{DeploymentId, ProjectId};

use crate::processes::{Identities, apps, sandboxes, shims};
use crate::site::Site;
use crate::stand::Stand;

pub(crate) type Names = BTreeSet<String>;

/// What a node shall have.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) workloads: Names,
    pub(crate) projects: Names,
    /// Releases with their manifests that shall be there, as `<project>/<release>`, and those that may.
    pub(crate) releases: Names,
    pub(crate) spare_releases: Names,
    /// Of which its edge keeps routes, where it keeps any.
    pub(crate) hosts: Option<Names>,
    /// Its network is one of its own, whose links are not seen from here.
    pub(crate) is_elsewhere: bool,
}

/// Everything of this server that is there and should not be, or should be and is not there.
pub(crate) async fn leftovers(stand: &Stand, sites: &[&Site]) -> Vec<String> {
    match wanted(stand, sites).await {
        Ok(wanted) => of_node(&stand.server.data_dir(), &wanted),
        Err(failure) => vec![failure],
    }
}

async fn wanted(stand: &Stand, sites: &[&Site]) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    for site in sites {
        let project = stand.client.project_get(&site.project).await.map_err(|failure| failure.to_string())?;
        wanted.workloads.extend(project.live_deployment.map(|live| live.id.to_string()));
        wanted.projects.insert(site.project.to_string());
        let kept = stand.client.release_list(&site.project).await.map_err(|failure| failure.to_string())?;
        wanted.releases.extend(kept.iter().flat_map(|release| files(&site.project, &release.deployment_id)));
    }
    let hosts = || sites.iter().map(|site| format!("{}.localhost", site.name)).collect();
    wanted.hosts = stand.is_separate().then(hosts);
    Ok(wanted)
}

/// A release's directory and its manifest.
pub(crate) fn files(project: &ProjectId, release: &DeploymentId) -> [String; 2] {
    [format!("{project}/{release}"), format!("{project}/{release}.json")]
}

/// What is there of a node's work and should not be, or should be and is not there.
pub(crate) fn of_node(data: &Path, wanted: &Wanted) -> Vec<String> {
    let node = data.join("node");
    let identities = Identities::of(data);
    let Wanted { workloads, projects, .. } = wanted;
    let mut faults = Vec::new();
    let mut same = |what: &str, found: Names, wanted: &Names| {
        if &found != wanted {
            faults.push(format!("{what}: there are {found:?}, and there should be {wanted:?}"));
        }
    };
    same("run directories", names(&node.join("runs")), workloads);
    same("cgroups", identities.cgroups().into_iter().collect(), workloads);
    same("groups", names(&node.join("groups")), projects);
    same("logs", names(&node.join("logs")), projects);
    same("users", identities.slots.keys().cloned().collect(), projects);
    let found = projects.iter().flat_map(|project| {
        let below = names(&node.join("groups").join(project).join("releases"));
        below.into_iter().map(move |name| format!("{project}/{name}"))
    });
    same("releases", found.filter(|name| !wanted.spare_releases.contains(name)).collect(), &wanted.releases);
    same("trash", names(&node.join("trash")), &Names::new());
    same("archives at the node", names(&node.join("uploads")), &Names::new());

    let shims = shims(data);
    same("shims", shims.values().cloned().collect(), workloads);
    let processes = apps(data);
    same("processes", processes.values().cloned().collect(), workloads);
    let links = identities.links().into_iter().collect::<Names>();
    let table = table(&identities.instance);
    let prefix = format!("n{}-", &identities.instance[..6]);
    // The pattern of them all is in there, too.
    let ruled = table.split('"').filter(|word| word.starts_with(&prefix) && !word.ends_with('*'));
    same("links in the packet filter", ruled.map(str::to_owned).collect(), &links);

    let one_each = [
        ("shims", shims.len(), workloads.len()),
        ("sandboxes", sandboxes(data), workloads.len()),
        ("processes", processes.len(), workloads.len()),
        ("links", links.len(), if wanted.is_elsewhere { 0 } else { workloads.len() }),
    ];
    for (what, found, wanted) in one_each.into_iter().filter(|(_, found, wanted)| found != wanted) {
        faults.push(format!("{found} {what}, and not {wanted}"));
    }
    faults.extend(visited(data, wanted));
    faults
}

/// What the edge keeps for its next start, and the ways it has to what runs.
fn visited(data: &Path, wanted: &Wanted) -> Vec<String> {
    let mut faults = Vec::new();
    // One for each life of a workload; those that are over have none.
    let gates = names(&data.join("node/gates"));
    let mut led_to = gates.iter().map(|gate| gate.split('@').next().unwrap_or_default()).collect::<Vec<_>>();
    led_to.sort_unstable();
    if !led_to.iter().eq(&wanted.workloads) {
        faults.push(format!("gates: there are {gates:?}, and there should be one for each of {:?}", wanted.workloads));
    }
    if let Some(wanted) = &wanted.hosts {
        match hosts(&data.join("edge/routes.json")) {
            Ok(hosts) if &hosts == wanted => {}
            other => faults.push(format!("the edge keeps routes of {other:?}, and should of {wanted:?}")),
        }
    }
    faults
}

fn hosts(snapshot: &Path) -> std::io::Result<Names> {
    let plan = serde_json::from_slice::<edge::control::Plan>(&std::fs::read(snapshot)?)?;
    Ok(plan.sites.into_iter().map(|site| site.host).collect())
}

pub(crate) fn names(directory: &Path) -> Names {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The node's table of the packet filter; empty where it has none.
fn table(instance: &str) -> String {
    let output = Command::new("nft").args(["list", "table", "inet", &format!("nanoscale-{instance}")]).output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}

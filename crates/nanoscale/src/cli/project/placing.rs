//! Where a project runs.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::Client;
use crate::cli::output::Fields;

#[derive(clap::Args, Default)]
pub(super) struct PlacingArgs {
    /// The server it runs on, by name or id. Of a project that runs elsewhere: moves it there without a pause.
    #[arg(long, value_name = "SERVER")]
    node: Option<String>,
    /// On how many servers it runs at once.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    replicas: Option<u32>,
    /// Only on servers with this label; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    node_label: Vec<ids::Label>,
    /// Whether it moves to another server when its own is lost for long.
    #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
    reschedule: Option<bool>,
}

fn label(text: &str) -> Result<ids::Label, ids::Invalid> {
    text.parse()
}

/// What is asked for, in the API's words.
pub(super) struct Placing {
    pub(super) node_id: Option<String>,
    pub(super) replicas: Option<u32>,
    pub(super) node_labels: Option<BTreeMap<String, String>>,
    pub(super) reschedule: Option<bool>,
}

impl PlacingArgs {
    pub(super) async fn read(self, client: &Client) -> Result<Placing> {
        let node_id = match self.node {
            None => None,
            Some(name) => {
                let list = client.get::<api::NodeList>(&["nodes"]).await?.value;
                match list.nodes.iter().find(|node| node.name == name || node.id.as_str() == name) {
                    Some(node) => Some(node.id.to_string()),
                    None => bail!("there is no node `{name}`; `nanoscale node list` shows what there is"),
                }
            }
        };
        let labels = self.node_label.into_iter().map(|label| (label.key, label.value)).collect::<BTreeMap<_, _>>();
        Ok(Placing {
            node_id,
            replicas: self.replicas,
            node_labels: Some(labels).filter(|labels| !labels.is_empty()),
            reschedule: self.reschedule,
        })
    }
}

/// The servers of a project, and what is asked of them.
pub(super) fn show(fields: &mut Fields, project: &api::Project) {
    let shown = |it: &api::ProjectPlacement| {
        let ready = if it.ready { "ready" } else { "not ready" };
        match it.state {
            ids::PlacementState::Wanted => format!("{} ({ready})", it.name),
            state => format!("{} ({state})", it.name),
        }
    };
    fields.add("runs on", project.placements.iter().map(shown).collect::<Vec<_>>().join(", "));
    fields.add_some("replicas", Some(project.replicas).filter(|count| *count > 1));
    let labels = project.node_labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
    fields.add_some("only on", Some(labels.join(" ")).filter(|labels| !labels.is_empty()));
    fields.add_some("when its server is lost", project.reschedule.then_some("moves to another one"));
}

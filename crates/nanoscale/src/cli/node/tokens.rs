//! Invitations of machines.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use ids::{JoinTokenId, NodeId, NodeStatus};

use super::members;
use crate::cli::client::Client;
use crate::cli::output::{self, Cell, Colour, Table, paint};
use crate::cli::time;
use crate::cli::watch::INTERRUPTED;

const POLL: Duration = Duration::from_millis(300);

#[derive(clap::Args)]
pub(super) struct TokenArgs {
    /// What the machine will be called; its own host name when absent.
    #[arg(long)]
    name: Option<String>,
    /// A label to choose it by, like `region=eu`; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = members::parse_label)]
    labels: Vec<(String, String)>,
    /// How long the token is good for: `60s` to `1d`; ten minutes when absent.
    #[arg(long, value_name = "DURATION", value_parser = time::parse_seconds)]
    expires: Option<i64>,
    /// Stay until the machine is online. With --json its JSON follows that of the token.
    #[arg(long)]
    wait: bool,
}

pub(super) async fn create(client: &Client, args: TokenArgs, json: bool) -> Result<ExitCode> {
    let labels = args.labels.into_iter().collect::<BTreeMap<_, _>>();
    let create = api::JoinTokenCreate { name: args.name, labels, expires_in_seconds: args.expires };
    let answer = client.post::<api::JoinTokenCreated>(&["cluster", "generate-token"], &create).await?;
    answer.show(json, print_created)?;
    if !args.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let token = &answer.value;
    tokio::select! {
        arrived = arrival(client, token, json) => arrived.map(|()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => {
            output::note(format!("\nThe token stays good until {}.", time::local(&token.expires_at)));
            output::note(format!("  end it:  nanoscale node revoke {}", token.id));
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

fn print_created(created: &api::JoinTokenCreated) -> Result<()> {
    output::note("On a machine that has NanoScale:");
    output::line(&created.command)?;
    output::note("On one that does not (Linux, as root):");
    output::line(&created.install_command)?;
    output::note(format!(
        "The token is good for one machine and {}, and is not shown again.",
        time::took(created.expires_in_seconds.saturating_mul(1000))
    ));
    if created.local_only {
        output::note(format!(
            "warning: {} is reached from this machine only; set orchestrator.public_url, or sign in by an address that \
             others reach",
            created.url
        ));
    }
    Ok(())
}

/// Waits until the machine with this token is online.
async fn arrival(client: &Client, token: &api::JoinTokenCreated, json: bool) -> Result<()> {
    output::note("Waiting for the machine…");
    let id = used(client, &token.id).await?;
    loop {
        let node = client.get::<api::Node>(&["nodes", id.as_str()]).await?;
        if node.value.status == NodeStatus::Online {
            return node.show(json, |node| {
                output::line(paint(&format!("`{}` is online ({})", node.name, node.id), Colour::Green))
            });
        }
        if let Some(problem) = node.value.problems.first() {
            bail!("`{}` has joined and is not led: {}", node.value.name, problem.message);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The node that the token has brought in, once it has.
async fn used(client: &Client, id: &JoinTokenId) -> Result<NodeId> {
    loop {
        let list = client.get::<api::JoinTokenList>(&["cluster", "tokens"]).await?.value;
        let Some(token) = list.tokens.into_iter().find(|token| &token.id == id) else {
            bail!("the token is not there any more");
        };
        match (token.node_id, token.state.as_str()) {
            (Some(node), _) => {
                output::note("It has joined; waiting for its link…");
                return Ok(node);
            }
            (None, "open") => tokio::time::sleep(POLL).await,
            (None, state) => bail!("no machine came: the token is {state}; make another with `nanoscale node token`"),
        }
    }
}

pub(super) async fn list(client: &Client, json: bool) -> Result<()> {
    client.get::<api::JoinTokenList>(&["cluster", "tokens"]).await?.show(json, |list| {
        if list.tokens.is_empty() {
            output::note("There are none; `nanoscale node token` makes one.");
            return Ok(());
        }
        let mut table = Table::new(["STATE", "FOR", "LABELS", "CREATED", "EXPIRES", "NODE", "ID"]);
        for token in &list.tokens {
            let open = token.state == "open";
            table.row([
                Cell::new(&token.state, if open { Colour::Green } else { Colour::Dim }),
                token.name.as_deref().unwrap_or("any machine").into(),
                members::labels(&token.labels).into(),
                time::ago(&token.created_at).into(),
                if open { time::until(&token.expires_at) } else { "-".to_owned() }.into(),
                token.node_id.as_ref().map_or("-", |id| id.as_str()).into(),
                Cell::new(&token.id, Colour::Dim),
            ]);
        }
        table.print()
    })
}

pub(super) async fn revoke(client: &Client, id: &JoinTokenId) -> Result<()> {
    client.delete(&["cluster", "tokens", id.as_str()]).await?;
    output::line(format!("Revoked {id}"))
}

//! The mesh: machines that serve models, and what that costs.

mod print;
mod provider;
mod pull;

pub(super) use print::credits;

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};

use super::client::Client;
use super::output;
use super::{Format, confirm};
use provider::ProviderCommand;

use crate::mesh_serve::{self, Directory, ServeArgs};

/// Microcredits of one credit.
const CREDIT: i64 = 1_000_000;

#[derive(clap::Args)]
pub(crate) struct MeshArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: MeshCommand,
}

#[derive(clap::Subcommand)]
enum MeshCommand {
    /// Offer this machine's models to a mesh, from now on.
    ///
    /// It needs no address that others can reach, and serves completions only.
    Serve(Box<ServeArgs>),
    /// Let nobody else use this machine's models until `resume`. What is under way goes on.
    Pause {
        /// Why, for who asks.
        #[arg(default_value = "its owner has paused it")]
        reason: String,
        #[command(flatten)]
        directory: Directory,
    },
    /// Let others use this machine's models again.
    Resume {
        #[command(flatten)]
        directory: Directory,
    },
    /// Machines that take part, or want to.
    #[command(visible_alias = "ls")]
    List,
    /// Take a machine into the mesh. It waits for approval; its registration token is shown once.
    Enrol {
        /// A name that no other machine has.
        node_id: String,
        /// What the approver may know it by besides.
        #[arg(long)]
        device_id: Option<String>,
    },
    /// Let a machine take part. For administrators.
    Approve { node_id: String },
    /// Say no to a machine. For administrators.
    Reject { node_id: String },
    /// Take a machine out until it is approved again. For administrators.
    Suspend { node_id: String },
    /// A new registration token for a machine that has lost its key. It waits for approval anew.
    Rekey { node_id: String },
    /// End a machine's part in the mesh.
    Withdraw {
        node_id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Tell a machine to fetch a model, and wait until it has. For administrators.
    Pull { node_id: String, model: String },
    /// Models of the machines that you see: your own, for administrators all.
    Models,
    /// What you have, have set aside and have earned.
    Credits,
    /// What moved on your account.
    Statement,
    /// Give somebody credits. For administrators.
    Grant {
        username: String,
        /// Credits, like 10 or 0.5.
        credits: String,
        /// Why, for both statements.
        #[arg(long, default_value = "granted by an administrator")]
        reason: String,
    },
    /// Your newest requests for models.
    Usage,
    /// Why a request went where it went.
    Explain { request: String },
    /// All accounts, and whether they add up. For administrators.
    Ledger,
    /// Companies whose models are offered, too. For administrators.
    #[command(subcommand)]
    Provider(ProviderCommand),
}

pub(super) async fn run(args: MeshArgs) -> Result<ExitCode> {
    let json = args.format.json;
    let command = match args.command {
        MeshCommand::Serve(args) => return mesh_serve::serve(*args).await,
        MeshCommand::Pause { reason, directory } => return mesh_serve::pause(directory, Some(&reason)),
        MeshCommand::Resume { directory } => return mesh_serve::pause(directory, None),
        other => other,
    };
    let client = Client::signed_in()?;
    match command {
        MeshCommand::List => {
            client.get::<api::EnrolmentList>(&["mesh", "enrolments"]).await?.show(json, print::enrolments)?;
        }
        MeshCommand::Enrol { node_id, device_id } => {
            let create = api::EnrolmentCreate { node_id, kind: None, device_id };
            let answer = client.post::<api::EnrolmentCreated>(&["mesh", "enrolments"], &create).await?;
            answer.show(json, print::created)?;
        }
        MeshCommand::Approve { node_id } => decide(&client, json, &node_id, "approve").await?,
        MeshCommand::Reject { node_id } => decide(&client, json, &node_id, "reject").await?,
        MeshCommand::Suspend { node_id } => decide(&client, json, &node_id, "suspend").await?,
        MeshCommand::Rekey { node_id } => {
            let found = find(&client, &node_id).await?;
            let path = ["mesh", "enrolments", found.id.as_str(), "rekey"];
            client.post::<api::EnrolmentCreated>(&path, &()).await?.show(json, print::created)?;
        }
        MeshCommand::Withdraw { node_id, yes } => {
            let found = find(&client, &node_id).await?;
            if !yes {
                confirm::by_name("The machine serves the mesh no longer, and its name is free.", &node_id)?;
            }
            client.delete(&["mesh", "enrolments", found.id.as_str()]).await?;
            output::line(format!("Withdrew {node_id}"))?;
        }
        MeshCommand::Pull { node_id, model } => return pull::run(&client, json, &node_id, &model).await,
        MeshCommand::Models => {
            client.get::<api::EnrolmentList>(&["mesh", "enrolments"]).await?.show(json, print::models)?;
        }
        MeshCommand::Grant { username, credits, reason } => {
            let grant = api::GrantCreate { username, amount: microcredits(&credits)?, reason };
            let answer = client.post::<api::LedgerEntry>(&["mesh", "grants"], &grant).await?;
            answer.show(json, |entry| {
                output::line(format!("Granted; they have {} credits now", print::credits(entry.balance)))
            })?;
        }
        MeshCommand::Provider(command) => return provider::run(&client, json, command).await,
        other => look(&client, json, other).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(client: &Client, json: bool, command: MeshCommand) -> Result<()> {
    match command {
        MeshCommand::Credits => client.get::<api::Mesh>(&["mesh"]).await?.show(json, print::standing),
        MeshCommand::Statement => {
            client.get::<api::LedgerStatement>(&["mesh", "statement"]).await?.show(json, print::statement)
        }
        MeshCommand::Usage => {
            client.get::<api::CompletionList>(&["mesh", "completions"]).await?.show(json, print::completions)
        }
        MeshCommand::Explain { request } => {
            let path = ["mesh", "completions", &request];
            client.get::<api::CompletionExplained>(&path).await?.show(json, print::explained)
        }
        MeshCommand::Ledger => client.get::<api::LedgerAudit>(&["mesh", "ledger"]).await?.show(json, print::ledger),
        _ => Ok(()),
    }
}

async fn decide(client: &Client, json: bool, node_id: &str, word: &str) -> Result<()> {
    let found = find(client, node_id).await?;
    let answer = client.post::<api::Enrolment>(&["mesh", "enrolments", found.id.as_str(), word], &()).await?;
    answer.show(json, |enrolment| output::line(format!("{} is {}", enrolment.node_id, enrolment.state)))
}

async fn find(client: &Client, node_id: &str) -> Result<api::Enrolment> {
    let list = client.get::<api::EnrolmentList>(&["mesh", "enrolments"]).await?.value;
    let found = list.enrolments.into_iter().find(|it| it.node_id.as_str() == node_id);
    found.ok_or_else(|| anyhow!("there is no machine `{node_id}`; `nanoscale mesh list` shows those that there are"))
}

/// `0.5` credits are 500,000 microcredits: exactly, without a detour over a floating point number.
pub(super) fn microcredits(text: &str) -> Result<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let wrong = || anyhow!("`{text}` is no number of credits like 10 or 0.5, with at most six decimals");
    if part.len() > 6 || !part.bytes().all(|byte| byte.is_ascii_digit()) || whole.starts_with(['+', '-']) {
        bail!(wrong());
    }
    let whole = whole.parse::<i64>().map_err(|_| wrong())?;
    let part = format!("{part:0<6}").parse::<i64>().map_err(|_| wrong())?;
    whole.checked_mul(CREDIT).and_then(|whole| whole.checked_add(part)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::microcredits;

    #[test]
    fn credits_are_read_exactly() {
        for (text, micro) in [("10", 10_000_000), ("0.5", 500_000), ("0.000001", 1), ("3.14", 3_140_000)] {
            assert_eq!(microcredits(text).unwrap(), micro);
        }
        for bad in ["", "-1", "+1", "1e3", "0.0000001", "1.", "x", "9223372036855"] {
            assert_eq!(microcredits(bad).is_err(), bad != "1.", "{bad}");
        }
    }
}

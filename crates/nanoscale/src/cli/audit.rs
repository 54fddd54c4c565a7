//! What was done to machines, and by whom.

use anyhow::Result;

use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::{Format, time};

#[derive(clap::Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    #[command(flatten)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum AuditCommand {
    /// The newest entries. The default.
    List,
    /// Look whether an entry was changed or removed since it was written.
    Verify,
}

/// Ends with exit code 1 when the chain is broken.
pub(super) async fn run(args: AuditArgs) -> Result<std::process::ExitCode> {
    let client = Client::signed_in()?;
    if let Some(AuditCommand::Verify) = args.command {
        let answer = client.get::<api::AuditVerified>(&["audit", "verify"]).await?;
        answer.show(args.format.json, |verified| match verified.broken_at {
            None => output::line(format!("All {} entries are as they were written", verified.events)),
            Some(at) => output::line(format!("Entry {at} is not what was written, or is missing")),
        })?;
        return Ok(if answer.value.intact { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE });
    }
    client.get::<api::AuditEventList>(&["audit"]).await?.show(args.format.json, |list| {
        let mut table = Table::new(["WHEN", "WHO", "DID", "TO", "DETAIL"]);
        for event in &list.events {
            table.row([
                Cell::new(time::ago(&event.time), Colour::Dim),
                Cell::from(&event.actor),
                Cell::new(&event.action, Colour::Bold),
                Cell::from(&event.subject),
                Cell::from(&event.detail),
            ]);
        }
        table.print()
    })?;
    Ok(std::process::ExitCode::SUCCESS)
}

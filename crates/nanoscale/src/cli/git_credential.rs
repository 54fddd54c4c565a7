//! What workspaces of the person who is signed in show to git servers.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::{Format, secret, time};

#[derive(clap::Args)]
pub(crate) struct GitCredentialArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: GitCredentialCommand,
}

#[derive(clap::Subcommand)]
enum GitCredentialCommand {
    /// Git servers that you have a credential for.
    #[command(visible_alias = "ls")]
    List,
    /// Set the credential for a git server. Its token is read from standard input.
    Set {
        /// `github.com`, or `git.example.com:8443`.
        host: String,
        /// Where the server wants your own; `x-access-token` when absent.
        #[arg(long)]
        username: Option<String>,
    },
    /// Forget the credential for a git server.
    #[command(visible_alias = "rm")]
    Remove { host: String },
}

pub(super) async fn run(args: GitCredentialArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let json = args.format.json;
    match args.command {
        GitCredentialCommand::List => {
            client.get::<api::GitCredentialList>(&["me", "git-credentials"]).await?.show(json, print_list)?;
        }
        GitCredentialCommand::Set { host, username } => {
            let token = secret::read(&format!("Token for {host}"))?;
            let token = token.with_context(|| format!("no token for {host} came on standard input"))?;
            let put = api::GitCredentialPut { username, token };
            let answer = client.put::<api::GitCredential>(&["me", "git-credentials", &host], &put).await?;
            answer.show(json, |credential| {
                output::line(format!("Set the credential of {} for {}", credential.username, credential.host))
            })?;
        }
        GitCredentialCommand::Remove { host } => {
            client.delete(&["me", "git-credentials", &host]).await?;
            output::line(format!("Removed {host}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_list(list: &api::GitCredentialList) -> Result<()> {
    if list.git_credentials.is_empty() {
        output::note("You have no git credentials; `nanoscale git-credential set github.com` sets one.");
        return Ok(());
    }
    let mut table = Table::new(["HOST", "USER NAME", "SET"]);
    for credential in &list.git_credentials {
        table.row([
            Cell::new(&credential.host, Colour::Bold),
            Cell::from(&credential.username),
            time::ago(&credential.updated_at).into(),
        ]);
    }
    table.print()
}

//! API tokens of the person who is signed in.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use ids::TokenId;
use jiff::Timestamp;

use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::{Format, time};

#[derive(clap::Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(clap::Subcommand)]
enum TokenCommand {
    /// Your tokens, without the tokens themselves.
    #[command(visible_alias = "ls")]
    List,
    /// Make a token. It is shown once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do; read and write when absent.
        #[arg(long, value_enum)]
        scope: Vec<Scope>,
        /// When it ends to be valid: `30d`, `1y`, or a time as RFC 3339; never when absent.
        #[arg(long, value_name = "TIME", value_parser = time::parse_future)]
        expires: Option<Timestamp>,
    },
    /// End a token at once, and those that it made.
    Revoke { id: TokenId },
}

#[derive(Clone, Copy, ValueEnum)]
enum Scope {
    Read,
    Write,
    /// To ask models.
    Models,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Models => "models",
        }
    }
}

pub(super) async fn run(args: TokenArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        TokenCommand::List => client.get::<api::TokenList>(&["tokens"]).await?.show(args.format.json, print_list)?,
        TokenCommand::Create { name, scope, expires } => {
            let scopes = scope.into_iter().map(|scope| scope.name().to_owned()).collect::<Vec<_>>();
            let create = api::TokenCreate {
                name,
                scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
                expires_at: expires.map(|time| time.to_string()),
            };
            let answer = client.post::<api::TokenCreated>(&["tokens"], &create).await?;
            answer.show(args.format.json, |created| {
                output::note("Keep it now; it is not shown again:");
                output::line(&created.token)
            })?;
        }
        TokenCommand::Revoke { id } => {
            client.delete(&["tokens", id.as_str()]).await?;
            output::line(format!("Revoked {id}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_list(list: &api::TokenList) -> Result<()> {
    let mut table = Table::new(["NAME", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "ID"]);
    for token in &list.tokens {
        let expires = token.expires_at.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        table.row([
            Cell::from(&token.name),
            token.scopes.join(", ").into(),
            time::ago(&token.created_at).into(),
            token.last_used_at.as_deref().map_or_else(|| "never".to_owned(), time::ago).into(),
            expires.map_or_else(|| "never".to_owned(), time::date).into(),
            Cell::new(&token.id, Colour::Dim),
        ]);
    }
    table.print()
}

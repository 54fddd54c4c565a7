//! API tokens of the person who is signed in.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use ids::TokenId;
use jiff::Timestamp;

use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::{Format, mesh, time};

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
        #[command(flatten)]
        limits: LimitArgs,
    },
    /// End a token at once, and those that it made.
    Revoke { id: TokenId },
}

/// Of a token with the scope `models`.
#[derive(clap::Args)]
struct LimitArgs {
    /// It may ask this model, and no other that is not named so. May be given several times.
    #[arg(long, value_name = "NAME")]
    model: Vec<String>,
    /// How often it may ask in a minute.
    #[arg(long, value_name = "NUMBER")]
    per_minute: Option<u32>,
    /// Credits that it may spend in all, like 10 or 0.5.
    #[arg(long, value_name = "CREDITS", value_parser = mesh::microcredits)]
    credits: Option<i64>,
}

impl From<LimitArgs> for Option<api::ModelLimits> {
    fn from(it: LimitArgs) -> Self {
        let LimitArgs { model, per_minute, credits } = it;
        let models = Some(model).filter(|models| !models.is_empty());
        let limits = api::ModelLimits { models, requests_per_minute: per_minute, credits };
        Some(limits).filter(|limits| *limits != api::ModelLimits::default())
    }
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
        TokenCommand::Create { name, scope, expires, limits } => {
            let scopes = scope.into_iter().map(|scope| scope.name().to_owned()).collect::<Vec<_>>();
            let create = api::TokenCreate {
                name,
                scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
                expires_at: expires.map(|time| time.to_string()),
                model_limits: limits.into(),
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

/// What a token may ask models, in a few words.
fn told(limits: &api::ModelLimits) -> String {
    let models = limits.models.as_ref().map(|models| models.join(", "));
    let per_minute = limits.requests_per_minute.map(|most| format!("{most} a minute"));
    let credits = limits.credits.map(|most| format!("{} credits", mesh::credits(most)));
    [models, per_minute, credits].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn print_list(list: &api::TokenList) -> Result<()> {
    let mut table = Table::new(["NAME", "SCOPES", "LIMITS", "CREATED", "LAST USED", "EXPIRES", "ID"]);
    for token in &list.tokens {
        let expires = token.expires_at.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        table.row([
            Cell::from(&token.name),
            token.scopes.join(", ").into(),
            token.model_limits.as_ref().map(told).unwrap_or_default().into(),
            time::ago(&token.created_at).into(),
            token.last_used_at.as_deref().map_or_else(|| "never".to_owned(), time::ago).into(),
            expires.map_or_else(|| "never".to_owned(), time::date).into(),
            Cell::new(&token.id, Colour::Dim),
        ]);
    }
    table.print()
}

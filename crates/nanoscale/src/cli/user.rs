//! People who may sign in.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::Format;
use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::secret;

#[derive(clap::Args)]
pub(crate) struct UserArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(clap::Subcommand)]
enum UserCommand {
    /// Everybody who has an account.
    #[command(visible_alias = "ls")]
    List,
    /// Make an account. The password is asked for, or read from standard input.
    Add {
        username: String,
        /// Only the superadmin, who did the first-run setup, makes administrators.
        #[arg(long, value_enum, default_value = "user")]
        role: Role,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    User,
    Admin,
}

pub(super) async fn run(args: UserArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        UserCommand::List => client.get::<api::UserList>(&["users"]).await?.show(args.format.json, |list| {
            let mut table = Table::new(["NAME", "ROLE", "ID"]);
            for user in &list.users {
                table.row([Cell::from(&user.username), Cell::from(&user.role), Cell::new(&user.id, Colour::Dim)]);
            }
            table.print()
        })?,
        UserCommand::Add { username, role } => {
            let Some(password) = secret::read(&format!("Password of {username}"))? else {
                bail!("there is no password; type one, or send it to standard input");
            };
            let role = match role {
                Role::User => "user",
                Role::Admin => "admin",
            };
            let create = api::UserCreate { username, password, role: Some(role.to_owned()) };
            client.post::<api::User>(&["users"], &create).await?.show(args.format.json, |user| {
                output::line(format!("{} may sign in now, as {}", user.username, user.role))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

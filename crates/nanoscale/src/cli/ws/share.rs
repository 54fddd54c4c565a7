//! What of a workspace others get to see.

use anyhow::{Result, bail};
use ids::PortAccess;

use super::super::client::Client;
use super::super::output::{self, Cell, Colour, Table};
use super::super::{Format, time};

#[derive(clap::Args)]
pub(super) struct PortArgs {
    workspace: String,
    port: u16,
    /// `private`, `link` (whoever has it), `team` (everybody with an account here) or `public`.
    #[arg(long, short, default_value = "link")]
    access: PortAccess,
}

#[derive(clap::Args)]
pub(super) struct ShareArgs {
    workspace: String,
    /// The terminal, by id or name.
    terminal: String,
    /// How long the link is good, up to 30 days: `2h`, `7d`. Default: a day.
    #[arg(long = "for", value_name = "TIME", value_parser = time::parse_seconds)]
    good_for: Option<i64>,
    /// The links that there are.
    #[arg(long, conflicts_with_all = ["good_for", "off"])]
    list: bool,
    /// Take all of its links back.
    #[arg(long, conflicts_with = "good_for")]
    off: bool,
}

pub(super) async fn port(client: &Client, args: PortArgs, format: Format) -> Result<()> {
    let workspace = super::find(client, &args.workspace).await?.value;
    let port = args.port.to_string();
    let update = api::WorkspacePortUpdate { access: args.access };
    let path = ["workspaces", workspace.id.as_str(), "ports", &port];
    client.put::<api::WorkspacePortShared>(&path, &update).await?.show(format.json, |shared| {
        output::line(shared.link.as_ref().unwrap_or(&shared.port.url))?;
        output::note(match shared.port.access {
            PortAccess::Private => "Only you get in, from the workspace's page.",
            PortAccess::Link => "Whoever has this link gets in. Another one ends it; so does --access private.",
            PortAccess::Team => "Everybody with an account here gets in.",
            PortAccess::Public => "Everybody gets in.",
        });
        Ok(())
    })
}

pub(super) async fn terminal(client: &Client, args: ShareArgs, format: Format) -> Result<()> {
    let workspace = super::find(client, &args.workspace).await?.value;
    let terminals = ["workspaces", workspace.id.as_str(), "terminals"];
    let listed = client.get::<api::TerminalList>(&terminals).await?.value.terminals;
    let found = listed.iter().filter(|it| it.id.as_str() == args.terminal || it.name == args.terminal);
    let terminal = match found.collect::<Vec<_>>().as_slice() {
        [one] => one.id.to_string(),
        [] => bail!("there is no terminal `{}` in {}", args.terminal, workspace.name),
        _ => bail!("several terminals are called `{}`; name one by its id", args.terminal),
    };
    let path = ["workspaces", workspace.id.as_str(), "terminals", &terminal, "links"];
    if args.list {
        return client.get::<api::TerminalLinkList>(&path).await?.show(format.json, |list| {
            let mut table = Table::new(["LINK", "MADE", "GOOD UNTIL"]);
            for link in &list.links {
                table.row([
                    Cell::new(&link.id, Colour::Bold),
                    Cell::from(&link.created_at),
                    Cell::from(&link.expires_at),
                ]);
            }
            table.print()
        });
    }
    if args.off {
        let links = client.get::<api::TerminalLinkList>(&path).await?.value.links;
        for link in &links {
            let [a, b, c, d, e] = path;
            client.delete(&[a, b, c, d, e, link.id.as_str()]).await?;
        }
        return output::line(format!("Took back {} links", links.len()));
    }
    let create = api::TerminalLinkCreate { expires_in_seconds: args.good_for.map(i64::unsigned_abs) };
    client.post::<api::TerminalLinkCreated>(&path, &create).await?.show(format.json, |made| {
        output::line(&made.url)?;
        let until = &made.link.expires_at;
        output::note(format!("Whoever has it sees everything in this terminal until {until}, and types nothing."));
        Ok(())
    })
}

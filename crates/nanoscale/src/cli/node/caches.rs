//! What builds keep on a machine for later ones.

use anyhow::Result;

use crate::cli::client::Client;
use crate::cli::output::{self, Cell, Colour, Table, bytes};
use crate::cli::{size, time};

/// The machine is the only one there is when it is not named.
#[derive(clap::Args)]
pub(super) struct CachesArgs {
    /// Its id or name.
    node: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct PruneArgs {
    /// Its id or name; may be left out where there is only one.
    node: Option<String>,
    /// Only say what would be freed.
    #[arg(long)]
    dry_run: bool,
    /// Free at least this much, like `500M` or `2G`; everything when absent.
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    bytes: Option<u64>,
}

pub(super) async fn list(client: &Client, args: CachesArgs, json: bool) -> Result<()> {
    let node = super::named(client, args.node.as_deref()).await?;
    let path = ["nodes", node.id.as_str(), "caches"];
    client.get::<api::BuildCacheList>(&path).await?.show(json, print)
}

pub(super) async fn prune(client: &Client, args: PruneArgs, json: bool) -> Result<()> {
    let node = super::named(client, args.node.as_deref()).await?;
    let prune = api::BuildCachePrune { dry_run: args.dry_run, project_id: None, bytes: args.bytes };
    let path = ["nodes", node.id.as_str(), "caches", "prune"];
    client.post::<api::BuildCachePruned>(&path, &prune).await?.show(json, print_pruned)
}

fn print(list: &api::BuildCacheList) -> Result<()> {
    if list.caches.is_empty() {
        output::line("No build keeps anything yet.")?;
    } else {
        print_table(&list.caches)?;
    }
    output::note(format!("{} of {} (limits.cache_mb)", bytes(list.bytes), bytes(list.limit_bytes)));
    Ok(())
}

fn print_table(caches: &[api::BuildCache]) -> Result<()> {
    let mut table = Table::new(["PROJECT", "SIZE", "LAST USED", "TO REBUILD", ""]);
    for cache in caches {
        table.row([
            Cell::new(name(cache), Colour::Bold),
            bytes(cache.bytes).into(),
            cache.last_used_at.as_deref().map_or_else(|| "-".to_owned(), time::ago).into(),
            cache.rebuild_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s")).into(),
            Cell::new(if cache.in_use { "in use" } else { "" }, Colour::Yellow),
        ]);
    }
    table.print()
}

fn name(cache: &api::BuildCache) -> &str {
    cache.project_name.as_deref().unwrap_or(cache.project_id.as_str())
}

/// Says what was freed, or would be.
pub(in crate::cli) fn print_pruned(pruned: &api::BuildCachePruned) -> Result<()> {
    if pruned.freed.is_empty() {
        return output::line("There is nothing to free.");
    }
    print_table(&pruned.freed)?;
    let verb = if pruned.dry_run { "Would free" } else { "Freed" };
    output::line(format!("{verb} {}", bytes(pruned.bytes)))
}

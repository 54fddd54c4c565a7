//! Which terminal of a workspace is meant.

use anyhow::{Result, bail};
use ids::TerminalId;

use super::{TerminalArgs, screen};
use crate::cli::client::{Client, ClientError};
use crate::cli::{output, ws};

/// The terminal that is asked for, which is opened if there is none.
pub(super) async fn choose(client: &Client, workspace: &str, args: &TerminalArgs) -> Result<api::Terminal> {
    let path = ["workspaces", workspace, "terminals"];
    let list = client.get::<api::TerminalList>(&path).await?.value;
    if args.command.is_empty()
        && let Some(found) = existing(&list.terminals, args.name.as_deref(), args.watch)?
    {
        return Ok(found.clone());
    }
    let (rows, columns) = screen::size().unzip();
    let create = api::TerminalCreate {
        name: args.name.clone(),
        rows,
        columns,
        directory: None,
        command: Some(args.command.clone()).filter(|command| !command.is_empty()),
        wake: true,
    };
    loop {
        match client.post::<api::Terminal>(&path, &create).await {
            Ok(terminal) => return Ok(terminal.value),
            Err(error) if ClientError::has_code(&error, "WORKSPACE_WAKING") => {
                output::note("It is asleep, and is being started.");
                ws::woken(client, &workspace.parse()?, !screen::is_interactive()).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The running one that is meant, if it is not to be opened.
fn existing<'a>(terminals: &'a [api::Terminal], name: Option<&str>, watch: bool) -> Result<Option<&'a api::Terminal>> {
    let running = terminals.iter().filter(|terminal| terminal.is_running).collect::<Vec<_>>();
    let Some(name) = name else {
        if !watch {
            return Ok(None);
        }
        let Some(last) = running.into_iter().max_by_key(|it| it.used_at.as_ref().unwrap_or(&it.created_at)) else {
            bail!("no terminal runs in that workspace; leave out --watch to open one");
        };
        return Ok(Some(last));
    };
    let id = name.parse::<TerminalId>().ok();
    let found = running.iter().filter(|it| it.name == name || Some(&it.id) == id.as_ref()).collect::<Vec<_>>();
    match found.as_slice() {
        [one] => Ok(Some(one)),
        [] if watch || id.is_some() => bail!("no terminal `{name}` runs in that workspace"),
        [] => Ok(None),
        several => {
            let ids = several.iter().map(|terminal| terminal.id.as_str()).collect::<Vec<_>>().join(", ");
            bail!("several terminals are called `{name}`; name one by its id: {ids}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(name: &str, running: bool, used: &str) -> api::Terminal {
        serde_json::from_value(serde_json::json!({
            "id": TerminalId::new(), "name": name, "directory": "/", "is_running": running, "viewers": 0,
            "output_bytes": 0, "created_at": "2026-01-01T00:00:00Z", "used_at": used,
        }))
        .unwrap()
    }

    #[test]
    fn a_terminal_is_gone_into_or_opened_as_is_asked() {
        let all = [
            terminal("a", true, "2026-01-02T00:00:00Z"),
            terminal("b", true, "2026-01-03T00:00:00Z"),
            terminal("c", false, "2026-01-04T00:00:00Z"),
            terminal("d", true, "2026-01-01T00:00:00Z"),
            terminal("d", true, "2026-01-01T00:00:00Z"),
        ];
        let chosen = |name, watch| existing(&all, name, watch).map(|found| found.map(|it| it.id.clone()));
        assert_eq!(chosen(None, false).unwrap(), None);
        assert_eq!(chosen(None, true).unwrap().as_ref(), Some(&all[1].id));
        assert_eq!(chosen(Some("a"), false).unwrap().as_ref(), Some(&all[0].id));
        assert_eq!(chosen(Some(all[3].id.as_str()), false).unwrap().as_ref(), Some(&all[3].id));
        assert_eq!(chosen(Some("c"), false).unwrap(), None);
        assert!(chosen(Some("c"), true).unwrap_err().to_string().contains("no terminal `c`"));
        assert!(chosen(Some("d"), false).unwrap_err().to_string().contains(all[4].id.as_str()));
        assert!(existing(&[], None, true).unwrap_err().to_string().contains("--watch"));
    }
}

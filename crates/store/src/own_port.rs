use std::ops::RangeInclusive;

use ids::{PortAccess, UserId, WorkspaceId};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

/// Ports of the server at which ports of workspaces are found.
impl Tx {
    /// What is found at one: the workspace, and the port there.
    pub async fn own_port(&mut self, number: u16) -> StoreResult<Option<(WorkspaceId, u16)>> {
        let row =
            sqlx::query("select workspace_id, port from own_ports where number = $1 and workspace_id is not null")
                .bind(i64::from(number))
                .fetch_optional(&mut *self.inner)
                .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((parse("workspace id", row.try_get("workspace_id")?)?, narrow(row.try_get("port")?))))
    }

    /// Those of a workspace: each with the port there.
    pub async fn own_ports(&mut self, id: &WorkspaceId) -> StoreResult<Vec<(u16, u16)>> {
        let rows = sqlx::query("select number, port from own_ports where workspace_id = $1 order by number")
            .bind(id.as_str())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(|row| Ok((narrow(row.try_get("number")?), narrow(row.try_get("port")?)))).collect()
    }

    /// The one of `numbers` at which a port of a workspace of `owner` is found from now on: the one that it has, one of theirs that is
    /// free, one that nobody ever had while they have fewer than `most`, or else that of their private port that was not asked for the
    /// longest. `None` if there is none of these.
    pub async fn own_port_allot(
        &mut self,
        owner: &UserId,
        (id, port): (&WorkspaceId, u16),
        (numbers, most): (&RangeInclusive<u16>, usize),
        now: i64,
    ) -> StoreResult<Option<u16>> {
        let held = self.own_ports(id).await?.into_iter().find(|(_, held)| *held == port).map(|(number, _)| number);
        let number = match held.filter(|held| numbers.contains(held)) {
            Some(held) => held,
            None => match self.own_port_for(owner, numbers, most).await? {
                Some(number) => number,
                None => return Ok(None),
            },
        };
        sqlx::query("update own_ports set workspace_id = null where workspace_id = $1 and port = $2 and number <> $3")
            .bind(id.as_str())
            .bind(i64::from(port))
            .bind(i64::from(number))
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "insert into own_ports (number, owner_id, workspace_id, port, asked_at) values ($1, $2, $3, $4, $5) \
             on conflict (number) do update \
             set workspace_id = excluded.workspace_id, port = excluded.port, asked_at = excluded.asked_at",
        )
        .bind(i64::from(number))
        .bind(owner.as_str())
        .bind(id.as_str())
        .bind(i64::from(port))
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(Some(number))
    }

    /// A number for somebody: a free one, or one that they have to give up for it.
    async fn own_port_for(
        &mut self,
        owner: &UserId,
        numbers: &RangeInclusive<u16>,
        most: usize,
    ) -> StoreResult<Option<u16>> {
        let rows = sqlx::query(
            "select own.number, own.owner_id, own.workspace_id, ports.access from own_ports own \
             left join workspace_ports ports on ports.workspace_id = own.workspace_id and ports.port = own.port \
             where own.number between $1 and $2 order by own.asked_at, own.number",
        )
        .bind(i64::from(*numbers.start()))
        .bind(i64::from(*numbers.end()))
        .fetch_all(&mut *self.inner)
        .await?;
        let (mut taken, mut theirs, mut private) = (Vec::new(), 0, None);
        for row in rows {
            let number = narrow(row.try_get("number")?);
            taken.push(number);
            if row.try_get::<&str, _>("owner_id")? != owner.as_str() {
                continue;
            }
            theirs += 1;
            if row.try_get::<Option<String>, _>("workspace_id")?.is_none() {
                return Ok(Some(number));
            }
            let access = row.try_get::<Option<String>, _>("access")?;
            if access.is_none_or(|access| access == PortAccess::Private.as_str()) {
                private = private.or(Some(number));
            }
        }
        let unused = numbers.clone().find(|number| !taken.contains(number)).filter(|_| theirs < most);
        Ok(unused.or(private))
    }
}

fn narrow(stored: i64) -> u16 {
    u16::try_from(stored).unwrap_or_default()
}

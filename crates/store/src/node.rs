use std::collections::BTreeMap;

use domain::node::{Grantee, Labels, Node};
use ids::{NodeAccess, NodeId, NodeState, UserId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{json, to_json};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, name, embedded, state, public_key, labels, owner_id, access, created_at, last_seen_at";

/// What its owner may change.
#[derive(Debug, Clone)]
pub struct NodePatch<'a> {
    pub name: &'a str,
    pub labels: &'a Labels,
    pub access: NodeAccess,
}

fn node(row: &AnyRow) -> StoreResult<Node> {
    let owner: Option<String> = row.try_get("owner_id")?;
    Ok(Node {
        id: parse("node id", row.try_get("id")?)?,
        name: row.try_get("name")?,
        embedded: row.try_get::<i64, _>("embedded")? == 1,
        state: parse("node state", row.try_get("state")?)?,
        public_key: row.try_get("public_key")?,
        labels: json("labels", row.try_get("labels")?)?,
        owner: owner.map(|id| parse("user id", &id)).transpose()?,
        access: parse("node access", row.try_get("access")?)?,
        granted_to: Vec::new(),
        created_at: row.try_get("created_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
    })
}

impl Tx {
    /// Those that were not removed, oldest first.
    pub async fn node_list(&mut self) -> StoreResult<Vec<Node>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from nodes where state <> 'removed' order by id"))
            .fetch_all(&mut *self.inner)
            .await?;
        let mut nodes = rows.iter().map(node).collect::<StoreResult<Vec<_>>>()?;
        let mut grants = self.node_grants(None).await?;
        for node in &mut nodes {
            node.granted_to = grants.remove(&node.id).unwrap_or_default();
        }
        Ok(nodes)
    }

    pub async fn node(&mut self, id: &NodeId) -> StoreResult<Option<Node>> {
        let row = sqlx::query(&format!("select {COLUMNS} from nodes where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        let Some(mut node) = row.as_ref().map(node).transpose()? else { return Ok(None) };
        node.granted_to = self.node_grants(Some(id)).await?.remove(id).unwrap_or_default();
        Ok(Some(node))
    }

    /// The newest node that has or had this key, without grants.
    pub async fn node_by_key(&mut self, public_key: &str) -> StoreResult<Option<Node>> {
        // Only those that were not removed are found by an index, and no two of them have the same key.
        for which in ["state <> 'removed'", "state = 'removed' order by id desc limit 1"] {
            let text = format!("select {COLUMNS} from nodes where public_key = $1 and {which}");
            let row = sqlx::query(&text).bind(public_key).fetch_optional(&mut *self.inner).await?;
            if let Some(row) = row {
                return node(&row).map(Some);
            }
        }
        Ok(None)
    }

    pub async fn node_name_exists(&mut self, name: &str) -> StoreResult<bool> {
        let row = sqlx::query("select count(*) from nodes where name = $1 and state <> 'removed'")
            .bind(name)
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }

    /// [`crate::StoreError::Taken`] when another node has its name or key.
    pub async fn node_insert(&mut self, node: &Node) -> StoreResult<()> {
        sqlx::query(
            "insert into nodes (id, name, embedded, state, public_key, labels, owner_id, access, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(node.id.as_str())
        .bind(&node.name)
        .bind(i64::from(node.embedded))
        .bind(node.state.as_str())
        .bind(&node.public_key)
        .bind(to_json(&node.labels))
        .bind(node.owner.as_ref().map(UserId::as_str))
        .bind(node.access.as_str())
        .bind(node.created_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// [`crate::StoreError::Taken`] when another node has the name.
    pub async fn node_update(&mut self, id: &NodeId, patch: NodePatch<'_>) -> StoreResult<()> {
        sqlx::query("update nodes set name = $2, labels = $3, access = $4 where id = $1")
            .bind(id.as_str())
            .bind(patch.name)
            .bind(to_json(patch.labels))
            .bind(patch.access.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Whether it was in `from`.
    pub async fn node_transition(&mut self, id: &NodeId, from: NodeState, to: NodeState) -> StoreResult<bool> {
        let done = sqlx::query("update nodes set state = $3 where id = $1 and state = $2")
            .bind(id.as_str())
            .bind(from.as_str())
            .bind(to.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn node_seen(&mut self, id: &NodeId, at: i64) -> StoreResult<()> {
        sqlx::query("update nodes set last_seen_at = $2 where id = $1")
            .bind(id.as_str())
            .bind(at)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// To whom nodes, or this one, are granted.
    async fn node_grants(&mut self, id: Option<&NodeId>) -> StoreResult<BTreeMap<NodeId, Vec<Grantee>>> {
        let rows = sqlx::query(
            "select node_id, user_id, username from node_grants join users on users.id = user_id \
             where $1 is null or node_id = $1 order by username",
        )
        .bind(id.map(NodeId::as_str))
        .fetch_all(&mut *self.inner)
        .await?;
        let mut grants = BTreeMap::<_, Vec<_>>::new();
        for row in rows {
            let grantee =
                Grantee { id: parse("user id", row.try_get("user_id")?)?, username: row.try_get("username")? };
            grants.entry(parse("node id", row.try_get("node_id")?)?).or_default().push(grantee);
        }
        Ok(grants)
    }

    /// Grants a node to these users and nobody else.
    pub async fn node_grants_replace(&mut self, id: &NodeId, to: &[Grantee]) -> StoreResult<()> {
        sqlx::query("delete from node_grants where node_id = $1").bind(id.as_str()).execute(&mut *self.inner).await?;
        for grantee in to {
            sqlx::query("insert into node_grants (node_id, user_id) values ($1, $2)")
                .bind(id.as_str())
                .bind(grantee.id.as_str())
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }
}

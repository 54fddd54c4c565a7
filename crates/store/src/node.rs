use domain::node::{Labels, Node};
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
        rows.iter().map(node).collect()
    }

    pub async fn node(&mut self, id: &NodeId) -> StoreResult<Option<Node>> {
        let row = sqlx::query(&format!("select {COLUMNS} from nodes where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(node).transpose()
    }

    /// The newest node that has or had this key.
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

    /// The nodes that were granted to a user.
    pub async fn node_grants(&mut self, user: &UserId) -> StoreResult<Vec<NodeId>> {
        let rows = sqlx::query("select node_id from node_grants where user_id = $1")
            .bind(user.as_str())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(|row| parse("node id", row.try_get("node_id")?)).collect()
    }
}

use ids::NodeId;
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

#[derive(Debug, Clone)]
pub struct StoredNode {
    pub id: NodeId,
    pub name: String,
    pub embedded: bool,
}

impl Tx {
    pub async fn node_list(&mut self) -> StoreResult<Vec<StoredNode>> {
        let rows = sqlx::query("select id, name, embedded from nodes order by id").fetch_all(&mut *self.inner).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredNode {
                    id: parse("node id", row.try_get("id")?)?,
                    name: row.try_get("name")?,
                    embedded: row.try_get::<i64, _>("embedded")? == 1,
                })
            })
            .collect()
    }

    /// Remembers a node, or its new name.
    pub async fn node_upsert(&mut self, node: &StoredNode, now: i64) -> StoreResult<()> {
        sqlx::query(
            "insert into nodes (id, name, embedded, created_at) values ($1, $2, $3, $4) \
             on conflict (id) do update set name = $2",
        )
        .bind(node.id.as_str())
        .bind(&node.name)
        .bind(i64::from(node.embedded))
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

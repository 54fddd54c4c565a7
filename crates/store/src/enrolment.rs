use domain::mesh::enrolment::Enrolment;
use ids::{EnrolmentId, EnrolmentState, MeshNodeId, UserId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::binds::{self, binds};
use crate::error::parse;
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, node_id, kind, state, owner_id, device_id, token_hash, public_key, created_at, decided_at, \
    decided_by, last_seen_at";

fn enrolment(row: &AnyRow) -> StoreResult<Enrolment> {
    Ok(Enrolment {
        id: parse("enrolment id", row.try_get("id")?)?,
        node_id: parse("name of a machine", row.try_get("node_id")?)?,
        kind: parse("kind of an enrolment", row.try_get("kind")?)?,
        state: parse("state of an enrolment", row.try_get("state")?)?,
        owner_id: parse("user id", row.try_get("owner_id")?)?,
        device_id: row.try_get("device_id")?,
        token_hash: row.try_get("token_hash")?,
        public_key: row.try_get("public_key")?,
        created_at: row.try_get("created_at")?,
        decided_at: row.try_get("decided_at")?,
        decided_by: row.try_get("decided_by")?,
        last_seen_at: row.try_get("last_seen_at")?,
    })
}

/// Machines that take part in the mesh.
impl Tx {
    /// [`crate::StoreError::Taken`] when another machine has the name.
    pub async fn enrolment_insert(&mut self, new: &Enrolment) -> StoreResult<()> {
        sqlx::query(
            "insert into mesh_enrolments (id, node_id, kind, state, owner_id, device_id, token_hash, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(new.id.as_str())
        .bind(new.node_id.as_str())
        .bind(new.kind.as_str())
        .bind(new.state.as_str())
        .bind(new.owner_id.as_str())
        .bind(&new.device_id)
        .bind(&new.token_hash)
        .bind(new.created_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Newest first: those of one owner, or all.
    pub async fn enrolments(&mut self, owner: Option<&UserId>) -> StoreResult<Vec<Enrolment>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from mesh_enrolments where $1 = '' or owner_id = $1 order by id desc"
        ))
        .bind(owner.map_or("", UserId::as_str))
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(enrolment).collect()
    }

    pub async fn enrolment(&mut self, id: &EnrolmentId) -> StoreResult<Option<Enrolment>> {
        self.enrolment_where("id", id.as_str()).await
    }

    pub async fn enrolment_of_node(&mut self, node: &MeshNodeId) -> StoreResult<Option<Enrolment>> {
        self.enrolment_where("node_id", node.as_str()).await
    }

    async fn enrolment_where(&mut self, column: &'static str, value: &str) -> StoreResult<Option<Enrolment>> {
        let row = sqlx::query(&format!("select {COLUMNS} from mesh_enrolments where {column} = $1"))
            .bind(value)
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(enrolment).transpose()
    }

    /// Whether it was still in the state `from`.
    pub async fn enrolment_decide(
        &mut self,
        id: &EnrolmentId,
        (from, to): (EnrolmentState, EnrolmentState),
        by: &str,
        now: i64,
    ) -> StoreResult<bool> {
        let changed = sqlx::query(
            "update mesh_enrolments set state = $1, decided_at = $2, decided_by = $3 where id = $4 and state = $5",
        )
        .bind(to.as_str())
        .bind(now)
        .bind(by)
        .bind(id.as_str())
        .bind(from.as_str())
        .execute(&mut *self.inner)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Makes a key the machine's own, for the one who shows the token: whether it is, and was not another's before.
    pub async fn enrolment_bind(&mut self, node: &MeshNodeId, token_hash: &str, key: &str) -> StoreResult<bool> {
        let changed = sqlx::query(
            "update mesh_enrolments set public_key = $1 \
             where node_id = $2 and token_hash = $3 and (public_key is null or public_key = $1)",
        )
        .bind(key)
        .bind(node.as_str())
        .bind(token_hash)
        .execute(&mut *self.inner)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Lets another key register in place of the one that was: it waits for approval anew.
    pub async fn enrolment_rekey(&mut self, id: &EnrolmentId, token_hash: &str) -> StoreResult<bool> {
        let changed = sqlx::query(
            "update mesh_enrolments set public_key = null, token_hash = $1, state = 'pending', decided_at = null, \
             decided_by = null where id = $2 and state <> 'suspended'",
        )
        .bind(token_hash)
        .bind(id.as_str())
        .execute(&mut *self.inner)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    pub async fn enrolment_delete(&mut self, id: &EnrolmentId) -> StoreResult<bool> {
        let deleted = sqlx::query("delete from mesh_enrolments where id = $1 and state <> 'suspended'")
            .bind(id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(deleted.rows_affected() == 1)
    }

    /// Machines by their names; those that nobody enrolled are left out.
    pub async fn enrolments_of_nodes(&mut self, nodes: &[MeshNodeId]) -> StoreResult<Vec<Enrolment>> {
        let mut found = Vec::with_capacity(nodes.len());
        for nodes in nodes.chunks(binds::MOST) {
            let sql = format!("select {COLUMNS} from mesh_enrolments where node_id in ({})", binds(1, nodes.len()));
            let query = nodes.iter().fold(sqlx::query(&sql), |query, node| query.bind(node.as_str()));
            for row in query.fetch_all(&mut *self.inner).await? {
                found.push(enrolment(&row)?);
            }
        }
        Ok(found)
    }

    pub async fn enrolments_seen(&mut self, nodes: &[MeshNodeId], now: i64) -> StoreResult<()> {
        for nodes in nodes.chunks(binds::MOST) {
            let names = binds(2, nodes.len());
            let sql = format!("update mesh_enrolments set last_seen_at = $1 where node_id in ({names})");
            let query = nodes.iter().fold(sqlx::query(&sql).bind(now), |query, node| query.bind(node.as_str()));
            query.execute(&mut *self.inner).await?;
        }
        Ok(())
    }
}

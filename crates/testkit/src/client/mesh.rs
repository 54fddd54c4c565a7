use ids::{CompletionId, EnrolmentId, HostedProviderId};
use reqwest::Method;

use super::{Client, Result};

/// The mesh.
impl Client {
    pub async fn mesh(&self) -> Result<api::Mesh> {
        self.get("/api/mesh").await
    }

    pub async fn enrolment_create(&self, create: &api::EnrolmentCreate) -> Result<api::EnrolmentCreated> {
        let made: api::EnrolmentCreated = self.post("/api/mesh/enrolments", create).await?;
        self.secrets.remember(&made.registration_token);
        Ok(made)
    }

    /// A machine that serves models, by a name that no other one has.
    pub async fn enrol(&self, node_id: &str) -> Result<api::EnrolmentCreated> {
        self.enrolment_create(&api::EnrolmentCreate { node_id: node_id.into(), kind: None, device_id: None }).await
    }

    pub async fn enrolment_list(&self) -> Result<api::EnrolmentList> {
        self.get("/api/mesh/enrolments").await
    }

    /// `approve`, `reject` or `suspend`.
    pub async fn enrolment_decide(&self, id: &EnrolmentId, decision: &str) -> Result<api::Enrolment> {
        self.post(&format!("/api/mesh/enrolments/{id}/{decision}"), &()).await
    }

    /// Tells a machine to fetch a model.
    pub async fn pull(&self, id: &EnrolmentId, model: &str) -> Result<api::MeshPull> {
        let create = api::MeshPullCreate { model: model.into() };
        self.post(&format!("/api/mesh/enrolments/{id}/pulls"), &create).await
    }

    pub async fn enrolment_rekey(&self, id: &EnrolmentId) -> Result<api::EnrolmentCreated> {
        let made: api::EnrolmentCreated = self.post(&format!("/api/mesh/enrolments/{id}/rekey"), &()).await?;
        self.secrets.remember(&made.registration_token);
        Ok(made)
    }

    pub async fn enrolment_withdraw(&self, id: &EnrolmentId) -> Result<()> {
        self.send(self.raw(Method::DELETE, &format!("/api/mesh/enrolments/{id}"))).await.map(drop)
    }

    /// Gives somebody microcredits.
    pub async fn grant(&self, username: &str, amount: i64) -> Result<api::LedgerEntry> {
        let grant = api::GrantCreate { username: username.into(), amount, reason: "for a test".into() };
        self.post("/api/mesh/grants", &grant).await
    }

    pub async fn provider_create(&self, create: &api::HostedProviderCreate) -> Result<api::HostedProvider> {
        self.secrets.remember(&create.api_key);
        self.post("/api/mesh/providers", create).await
    }

    pub async fn provider_list(&self) -> Result<Vec<api::HostedProvider>> {
        Ok(self.get::<api::HostedProviderList>("/api/mesh/providers").await?.providers)
    }

    pub async fn provider_update(
        &self,
        id: &HostedProviderId,
        update: &api::HostedProviderUpdate,
    ) -> Result<api::HostedProvider> {
        update.api_key.iter().for_each(|key| self.secrets.remember(key));
        self.call(self.raw(Method::PATCH, &format!("/api/mesh/providers/{id}")).json(update)).await
    }

    pub async fn provider_check(&self, id: &HostedProviderId) -> Result<api::HostedProviderCheck> {
        self.post(&format!("/api/mesh/providers/{id}/check"), &()).await
    }

    pub async fn provider_delete(&self, id: &HostedProviderId) -> Result<()> {
        self.send(self.raw(Method::DELETE, &format!("/api/mesh/providers/{id}"))).await.map(drop)
    }

    pub async fn ledger(&self) -> Result<api::LedgerAudit> {
        self.get("/api/mesh/ledger").await
    }

    pub async fn statement(&self, cursor: Option<&str>) -> Result<api::LedgerStatement> {
        let cursor = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        self.get(&format!("/api/mesh/statement{cursor}")).await
    }

    /// The newest hundred.
    pub async fn completion_list(&self) -> Result<Vec<api::Completion>> {
        Ok(self.get::<api::CompletionList>("/api/mesh/completions").await?.completions)
    }

    /// All of them, page by page.
    pub async fn completions(&self) -> Result<Vec<api::Completion>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: api::CompletionList = self.get(&format!("/api/mesh/completions{cursor}")).await?;
            all.extend(page.completions);
            let Some(next) = page.next_cursor else { return Ok(all) };
            cursor = format!("?cursor={next}");
        }
    }

    pub async fn explain(&self, id: &CompletionId) -> Result<api::CompletionExplained> {
        self.get(&format!("/v1/explain/{id}")).await
    }

    pub async fn models(&self) -> Result<api::ModelList> {
        self.get("/v1/models").await
    }
}

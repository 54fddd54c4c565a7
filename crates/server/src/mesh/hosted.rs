//! Hosted providers: companies that serve models, asked with a key of the administrator's. What is paid for their answers is the
//! coordinator's, who has their bill.

pub(crate) mod http;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::mesh::hosted::{HostedModel, HostedProvider};
use domain::user::User;
use ids::{HostedProviderId, HostedProviderKind, MeshNodeId};
use reqwest::Url;
use store::{Store, StoreError, Tx};
use wire::{MeshModel, MeshPrice};

use super::agents::MeshAgents;
use super::agents::hosted::Hosted;
use crate::error::{Error, Problems, Result};
use crate::now_ms;
use crate::platform::vault::Vault;

const PROVIDERS_MAX: usize = 50;
const MODELS_MAX: usize = 256;
const NAME_MAX: usize = 40;
const MODEL_NAME_MAX: usize = 256;
const API_KEY_MAX: usize = 4096;
/// Names that mean something else: the coordinator's own service, and all machines.
const TAKEN: [&str; 2] = ["inference", "mesh"];
/// The least context that says anything, and the most that is believed.
const CONTEXT: std::ops::RangeInclusive<u32> = 256..=16 << 20;
/// Requests that one works at, at the same time, before others are asked that have less to do.
const SLOTS: u32 = 32;
/// Until the database is asked again that did not answer.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct HostedProviders {
    store: Store,
    vault: Arc<Vault>,
    agents: MeshAgents,
    /// Microcredits: what is dearer for a token is not offered.
    max_price: u32,
    /// One change at a time reaches those who ask.
    offering: Arc<tokio::sync::Mutex<()>>,
}

// === impl HostedProviders ===

impl HostedProviders {
    pub(super) fn new(store: Store, vault: Arc<Vault>, agents: MeshAgents, max_price: u32) -> Self {
        Self { store, vault, agents, max_price, offering: Arc::default() }
    }

    /// By name.
    pub(super) async fn list(&self) -> Result<Vec<HostedProvider>> {
        Ok(self.store.read().await?.hosted_providers().await?)
    }

    pub(super) async fn find(&self, id: &HostedProviderId) -> Result<HostedProvider> {
        self.list().await?.into_iter().find(|it| it.id == *id).ok_or_else(unknown)
    }

    /// Checks everything before it makes anything, and names every problem.
    pub(super) async fn create(&self, by: &User, create: api::HostedProviderCreate) -> Result<HostedProvider> {
        let mut problems = Problems::default();
        let name = name(&create.name, &mut problems);
        let base_url = create.base_url.unwrap_or_else(|| usual_url(create.kind).to_owned());
        let base_url = base(&base_url, &mut problems);
        let api_key = api_key(&create.api_key, &mut problems);
        let models = self.models(create.models, &mut problems);
        let ((name, base_url), api_key) = problems.none(name.zip(base_url).zip(api_key))?;
        let (id, now) = (HostedProviderId::new(), now_ms());
        let new = HostedProvider {
            api_key_sealed: self.seal(&id, &api_key)?,
            id,
            name,
            kind: create.kind,
            base_url,
            models,
            enabled: true,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.store.write().await?;
        if tx.hosted_providers().await?.len() >= PROVIDERS_MAX {
            let message = format!("there are {PROVIDERS_MAX} hosted providers already; remove one first");
            return Err(Error::conflict("TOO_MANY_PROVIDERS", message));
        }
        match tx.hosted_provider_insert(&new).await {
            Err(StoreError::Taken(_)) => {
                let message = format!("there is a hosted provider `{}` already; choose another name", new.name);
                return Err(Error::conflict("PROVIDER_NAME_TAKEN", message).at("name"));
            }
            result => result?,
        }
        self.changed(tx, by, "hosted_provider.created", &new).await?;
        Ok(new)
    }

    /// Changes what the request names.
    pub(super) async fn update(
        &self,
        by: &User,
        id: &HostedProviderId,
        update: api::HostedProviderUpdate,
    ) -> Result<HostedProvider> {
        let mut tx = self.store.write().await?;
        let old = tx.hosted_providers().await?.into_iter().find(|it| it.id == *id).ok_or_else(unknown)?;
        let mut problems = Problems::default();
        let base_url = update.base_url.as_deref().map(|url| base(url, &mut problems).unwrap_or_default());
        if base_url.as_ref().is_some_and(|url| *url != old.base_url) && update.api_key.is_none() {
            let message = "another base URL has a key of its own: send `api_key` with it";
            problems.add("api_key", "API_KEY_REQUIRED", message);
        }
        let key = update.api_key.as_deref().map(|key| api_key(key, &mut problems).unwrap_or_default());
        let models = update.models.map(|models| self.models(models, &mut problems));
        problems.none(Some(()))?;
        let changed = HostedProvider {
            base_url: base_url.unwrap_or(old.base_url),
            api_key_sealed: key.map_or(Ok(old.api_key_sealed), |key| self.seal(id, &key))?,
            models: models.unwrap_or(old.models),
            enabled: update.enabled.unwrap_or(old.enabled),
            updated_at: now_ms(),
            ..old
        };
        tx.hosted_provider_update(&changed).await?;
        self.changed(tx, by, "hosted_provider.updated", &changed).await?;
        Ok(changed)
    }

    pub(super) async fn delete(&self, by: &User, id: &HostedProviderId) -> Result<()> {
        let mut tx = self.store.write().await?;
        let old = tx.hosted_providers().await?.into_iter().find(|it| it.id == *id).ok_or_else(unknown)?;
        tx.hosted_provider_delete(id).await?;
        self.changed(tx, by, "hosted_provider.deleted", &old).await
    }

    /// Asks one which models it has.
    pub(super) async fn check(&self, id: &HostedProviderId) -> Result<api::HostedProviderCheck> {
        let asked = self.way(&self.find(id).await?)?.models().await;
        Ok(match asked {
            Ok(models) => api::HostedProviderCheck { ok: true, message: None, models },
            Err(message) => api::HostedProviderCheck { ok: false, message: Some(message), models: Vec::new() },
        })
    }

    async fn changed(&self, mut tx: Tx, by: &User, what: &str, of: &HostedProvider) -> Result<()> {
        let detail = format!("{} {} {}", of.kind, of.name, of.base_url);
        tx.audit(&by.username, what, of.id.as_str(), &detail, now_ms()).await?;
        tx.commit().await?;
        // It is done: what cannot be read just now is read as soon as it can.
        if let Err(error) = self.offer().await {
            tracing::warn!(%error, "hosted providers are not offered as they are now");
            let later = self.clone();
            tokio::spawn(async move { later.offer_until_known().await });
        }
        Ok(())
    }

    /// From the start on, as soon as the database says which there are.
    pub(super) async fn offer_until_known(&self) {
        while let Err(error) = self.offer().await {
            tracing::warn!(%error, "hosted providers are not offered yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn offer(&self) -> Result<()> {
        let _one = self.offering.lock().await;
        let enabled = self.list().await?.into_iter().filter(|it| it.enabled);
        let offered = enabled.filter_map(|provider| match self.way(&provider) {
            Ok(way) => Some((node_id(&provider.name)?, way, self.offered(&provider.models))),
            // The others are there all the same.
            Err(error) => {
                tracing::error!(%error, provider = provider.name, "a hosted provider cannot be asked");
                None
            }
        });
        self.agents.set_hosted(offered.collect());
        Ok(())
    }

    fn way(&self, provider: &HostedProvider) -> Result<Hosted> {
        let opened = self.vault.open(&place(&provider.id), &provider.api_key_sealed).map_err(|error| {
            let message =
                "the provider's key does not open with the keys in keys.json; restore that file, or set `api_key` anew";
            Error::conflict("API_KEY_UNREADABLE", message).because(error)
        })?;
        Hosted::new(provider.kind, &provider.base_url, &opened)
    }

    fn seal(&self, id: &HostedProviderId, api_key: &str) -> Result<String> {
        self.vault.seal(&place(id), api_key).map_err(Error::internal)
    }

    fn offered(&self, models: &[HostedModel]) -> Vec<MeshModel> {
        let fair = models.iter().filter(|model| model.input_price.max(model.output_price) <= self.max_price);
        let offered = fair.map(|model| MeshModel {
            name: model.name.clone(),
            loaded: true,
            context: model.context,
            slots: SLOTS,
            busy: 0,
            price: MeshPrice { input: model.input_price, output: model.output_price },
        });
        offered.collect()
    }

    fn models(&self, models: Vec<api::HostedModel>, problems: &mut Problems) -> Vec<HostedModel> {
        let mut names = HashSet::new();
        if models.is_empty() || models.len() > MODELS_MAX {
            problems.add("models", "INVALID_MODELS", format!("a hosted provider offers 1 to {MODELS_MAX} models"));
        }
        let read = models.into_iter().map(|api::HostedModel { name, context, input_price, output_price }| {
            let mut wrong = |message: String| problems.add("models", "INVALID_MODELS", message);
            let name = name.trim().to_owned();
            if name.is_empty() || name.len() > MODEL_NAME_MAX || name.contains(char::is_control) {
                wrong(format!("a model is called by 1 to {MODEL_NAME_MAX} printable characters"));
            } else if !names.insert(name.clone()) {
                wrong(format!("`{name}` is there twice"));
            }
            if !CONTEXT.contains(&context) {
                wrong(format!("`{name}`: its context is {} to {} tokens", CONTEXT.start(), CONTEXT.end()));
            }
            if input_price.max(output_price) > self.max_price {
                wrong(format!("`{name}`: a token costs at most {} microcredits here (mesh.max_price)", self.max_price));
            }
            HostedModel { name, context, input_price, output_price }
        });
        read.collect()
    }
}

fn unknown() -> Error {
    Error::not_found("hosted provider")
}

/// Where its key is in the vault.
fn place(id: &HostedProviderId) -> String {
    format!("hosted-provider:{id}")
}

/// What completions say that served them.
fn node_id(name: &str) -> Option<MeshNodeId> {
    MeshNodeId::of_coordinator(name).ok()
}

fn usual_url(kind: HostedProviderKind) -> &'static str {
    match kind {
        HostedProviderKind::OpenAi => "https://api.openai.com",
        HostedProviderKind::Anthropic => "https://api.anthropic.com",
    }
}

fn name(text: &str, problems: &mut Problems) -> Option<String> {
    let text = text.trim();
    let fits = (2..=NAME_MAX).contains(&text.len()) && node_id(text).is_some();
    if !fits || TAKEN.contains(&text) {
        let message = format!(
            "a hosted provider is called by 2 to {NAME_MAX} lower-case letters, digits, `.`, `_` and `-`, and neither `inference` nor `mesh`"
        );
        problems.add("name", "INVALID_NAME", message);
    }
    Some(text.to_owned())
}

/// Where it is, without `/v1`, which most people write.
fn base(text: &str, problems: &mut Problems) -> Option<String> {
    let url = text.trim().parse::<Url>().ok().filter(|url| {
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
        is_safe
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if url.is_none() {
        let message = "a base URL begins with https:// (or http:// on this machine) and has neither user nor query, like \
                       https://api.openai.com";
        problems.add("base_url", "INVALID_BASE_URL", message);
    }
    let url = url?;
    let text = url.as_str().trim_end_matches('/');
    Some(text.strip_suffix("/v1").unwrap_or(text).to_owned())
}

fn api_key(text: &str, problems: &mut Problems) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > API_KEY_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.add("api_key", "INVALID_API_KEY", "an API key has printable characters, and no spaces");
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_one_that_a_key_may_go_to() {
        let read = |text: &str| {
            let mut problems = Problems::default();
            let url = base(text, &mut problems);
            (problems.count() == 0).then_some(url).flatten()
        };
        assert_eq!(read("https://api.openai.com/v1/").unwrap(), "https://api.openai.com");
        assert_eq!(read(" https://openrouter.ai/api/v1").unwrap(), "https://openrouter.ai/api");
        assert_eq!(read("http://127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080");
        for bad in ["http://api.openai.com", "https://a:b@c.d", "ftp://x.y", "api.openai.com", "https://x.y/?a=b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_that_mean_something_else_are_kept() {
        for (text, wrong) in
            [("openai", 0), ("my.own-1", 0), ("inference", 1), ("mesh", 1), ("A", 1), ("a b", 1), ("x", 1)]
        {
            let mut problems = Problems::default();
            name(text, &mut problems);
            assert_eq!(problems.count(), wrong, "{text}");
        }
    }
}

//! What a mesh agent says to its coordinator before there is a link.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ids::MeshNodeId;
use link::{KeyPair, PublicKey};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use signatures::Message;
use url::{Position, Url};
use wire::MESH_TAG;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Until it is asked again what somebody who looks at it may decide any moment.
const AGAIN_SOON: Duration = Duration::from_secs(2);
/// Until it is asked again what takes somebody longer.
pub(crate) const AGAIN: Duration = Duration::from_secs(10);

/// Why there is no link.
#[derive(Debug)]
pub(crate) enum Setback {
    /// It may pass by itself.
    Away(String),
    /// Somebody has to do something, in the words that tell what.
    Dormant { reason: String, again: Duration },
}

// === impl Setback ===

impl Setback {
    fn dormant(reason: impl Into<String>) -> Self {
        Self::Dormant { reason: reason.into(), again: AGAIN }
    }
}

/// Asks the coordinator at an address.
pub(crate) struct CoordinatorClient {
    client: Client,
    url: Url,
    key: Arc<KeyPair>,
}

/// What `POST /register` takes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registration<'a> {
    pub(crate) agent_id: &'a MeshNodeId,
    pub(crate) os: &'static str,
    pub(crate) version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registration_token: Option<&'a str>,
    pub(crate) public_key: PublicKey,
    pub(crate) client_type: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) local_model_provider: &'static str,
    pub(crate) max_concurrent_tasks: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    public_key: PublicKey,
}

#[derive(Deserialize)]
struct Accepted {
    accepted: bool,
}

// === impl CoordinatorClient ===

impl CoordinatorClient {
    /// Clients are alike, and reading the machine's certificates for one takes a while: coordinators share it.
    pub(crate) fn shared() -> reqwest::Result<Client> {
        Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()
    }

    pub(crate) fn new(client: Client, url: Url, key: Arc<KeyPair>) -> Self {
        Self { client, url, key }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The key of whoever answers. That they own it the link shows.
    pub(crate) async fn identity(&self) -> Result<PublicKey, Setback> {
        let response = self.client.get(self.at("/identity")?).send().await.map_err(|error| self.away(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(Setback::Away(format!("{} answers {status} when asked who it is", self.url)));
        }
        let identity: Identity = response.json().await.map_err(|error| self.away(&error))?;
        Ok(identity.public_key)
    }

    /// Says who this is; once the coordinator accepts that, it may be dialled.
    pub(crate) async fn register(&self, registration: &Registration<'_>) -> Result<(), Setback> {
        let at = self.at("/register")?;
        let body = serde_json::to_vec(registration).map_err(|error| Setback::Away(error.to_string()))?;
        let message = Message {
            method: &Method::POST,
            authority: &at[Position::BeforeHost..Position::AfterPort],
            path: at.path(),
            query: None,
            body: &body,
        };
        let keyid = self.key.public().to_string();
        let signed = signatures::sign(&message, &keyid, &self.key, MESH_TAG, SystemTime::now());
        let mut headers =
            signed.map_err(|error| Setback::dormant(format!("the registration cannot be signed: {error}")))?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = self.client.post(at).headers(headers).body(body).send().await;
        self.answer(sent.map_err(|error| self.away(&error))?, registration.agent_id).await
    }

    async fn answer(&self, response: Response, node_id: &MeshNodeId) -> Result<(), Setback> {
        let status = response.status();
        if status.is_success() {
            let accepted = response.json::<Accepted>().await.map_err(|error| self.away(&error))?.accepted;
            return if accepted {
                Ok(())
            } else {
                Err(Setback::dormant("the coordinator does not accept this machine"))
            };
        }
        let said = response.json::<Value>().await.unwrap_or_default();
        if status == StatusCode::FORBIDDEN {
            return Err(refused(&said, node_id, &self.key.public()));
        }
        let words = words(&said).map(|words| format!(": {words}")).unwrap_or_default();
        let reason = format!("{} answers {status} to the registration{words}", self.url);
        Err(if status == StatusCode::UNAUTHORIZED { Setback::dormant(reason) } else { Setback::Away(reason) })
    }

    fn at(&self, path: &str) -> Result<Url, Setback> {
        self.url.join(path).map_err(|_| Setback::dormant(format!("{} is no address of a coordinator", self.url)))
    }

    /// With what lies below: an error of reqwest says only what it was at.
    fn away(&self, error: &reqwest::Error) -> Setback {
        if error.is_decode() {
            return Setback::Away(format!("{} answers like no coordinator", self.url));
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(below) = cause.source() {
            cause = below;
        }
        Setback::Away(format!("{} cannot be reached: {cause}", self.url))
    }
}

/// Why the coordinator takes nothing from this machine.
fn refused(said: &Value, node_id: &MeshNodeId, key: &PublicKey) -> Setback {
    let fingerprint = key.fingerprint();
    let reason = match said["reason"].as_str().unwrap_or_default() {
        "node_pending_coordinator_approval" => {
            let reason = format!(
                "`{node_id}` waits for somebody to approve it; they see the fingerprint of its key, which is {fingerprint}"
            );
            return Setback::Dormant { reason, again: AGAIN_SOON };
        }
        "registration_token_required" => format!(
            "`{node_id}` has not registered before, which takes its registration token: give it the one that its \
             enrolment showed"
        ),
        "registration_token_invalid" => format!(
            "the registration token is not the one of `{node_id}`, or was used by another machine: have a new one made for \
             its enrolment, and start it with that"
        ),
        "node_not_enrolled" => {
            format!(
                "nobody has enrolled a machine called `{node_id}`: enrol it, and start it with the token shown there"
            )
        }
        "node_kind_mismatch" => {
            format!("`{node_id}` is enrolled, but not as a machine that serves models: enrol this one by another name")
        }
        "key_mismatch" => format!(
            "`{node_id}` has registered with another key than this machine's, which is {fingerprint}: start it with the \
             directory it had, or have a new registration token made for its enrolment"
        ),
        "node_suspended" => format!("`{node_id}` is suspended: ask who approves machines"),
        "node_rejected" => format!("`{node_id}` was rejected: ask who approves machines"),
        other => words(said).unwrap_or_else(|| format!("the coordinator refuses `{node_id}` ({other})")),
    };
    Setback::dormant(reason)
}

/// What an answer says to people.
fn words(said: &Value) -> Option<String> {
    ["message", "reason", "error"].iter().find_map(|name| said[*name].as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_refusal_says_what_to_do() {
        let (node, key) = ("ada".parse().unwrap(), KeyPair::generate().unwrap().public());
        for (reason, part, expected) in [
            ("node_pending_coordinator_approval", key.fingerprint().as_str(), AGAIN_SOON),
            ("registration_token_required", "takes its registration token", AGAIN),
            ("registration_token_invalid", "have a new one made", AGAIN),
            ("node_not_enrolled", "nobody has enrolled", AGAIN),
            ("node_kind_mismatch", "by another name", AGAIN),
            ("key_mismatch", key.fingerprint().as_str(), AGAIN),
            ("node_suspended", "suspended", AGAIN),
            ("something_new", "in its words", AGAIN),
        ] {
            let said = json!({ "error": "node_not_activated", "reason": reason, "message": "in its words" });
            let Setback::Dormant { reason: told, again } = refused(&said, &node, &key) else { panic!("{reason}") };
            assert!(told.contains(part) && again == expected, "{reason}: {told}");
        }
        let Setback::Dormant { reason, .. } = refused(&Value::Null, &node, &key) else { panic!() };
        assert!(reason.contains("`ada`"));
    }
}

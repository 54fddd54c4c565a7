use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use rand::distr::Alphanumeric;

/// Everything that may not turn up in a log, a database in plain text or an answer.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<BTreeSet<String>>>);

/// A text that nothing else contains by chance.
pub fn random_secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect()
}

// === impl Secrets ===

impl Secrets {
    /// Texts of fewer than 8 characters are found everywhere by chance and left out.
    pub fn remember(&self, secret: &str) {
        if secret.len() >= 8 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.to_owned());
        }
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Those that `text` contains.
    pub fn found_in(&self, text: &str) -> Vec<String> {
        self.all().into_iter().filter(|secret| text.contains(secret.as_str())).collect()
    }
}

//! Credits: where they come from, and where they went.

pub(crate) mod http;

use domain::user::User;
use ids::{LedgerTransactionId, UserId, UserName};
use store::{ISSUED, LedgerCheck, Movement, Store, StoredEntry, account_of};

use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::identity::Identity;

const PAGE: i64 = 100;
/// Microcredits that can be given at once: a million credits.
const GRANT_MAX: i64 = 1_000_000_000_000;
const REASON_MAX: usize = 200;

#[derive(Clone)]
pub(crate) struct Ledger {
    store: Store,
    identity: Identity,
}

/// What somebody has, has set aside and has earned, in microcredits.
pub(super) struct Standing {
    pub(super) balance: i64,
    pub(super) held: i64,
    pub(super) earned: i64,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(store: Store, identity: Identity) -> Self {
        Self { store, identity }
    }

    pub(super) async fn standing(&self, user: &UserId) -> Result<Standing> {
        let mut tx = self.store.read().await?;
        let balance = tx.ledger_balance(&account_of(user)).await?;
        let (held, earned) = tx.completion_sums(user).await?;
        Ok(Standing { balance, held, earned })
    }

    pub(super) async fn balance(&self, user: &UserId) -> Result<i64> {
        Ok(self.store.read().await?.ledger_balance(&account_of(user)).await?)
    }

    /// A page of somebody's entries, and whether there are more.
    async fn statement(&self, user: &UserId, before: Option<&LedgerTransactionId>) -> Result<(Vec<StoredEntry>, bool)> {
        let account = account_of(user);
        let mut entries = self.store.read().await?.ledger_statement(&account, before, PAGE + 1).await?;
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let more = entries.len() > page;
        entries.truncate(page);
        Ok((entries, more))
    }

    /// Gives somebody credits.
    async fn grant(&self, by: &User, grant: &api::GrantCreate) -> Result<StoredEntry> {
        if !(1..=GRANT_MAX).contains(&grant.amount) {
            let message = format!("an amount is 1 to {GRANT_MAX} microcredits");
            return Err(Error::invalid("amount", "INVALID_AMOUNT", message));
        }
        let reason = grant.reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX || reason.contains(char::is_control) {
            let message = format!("a reason has 1 to {REASON_MAX} printable characters");
            return Err(Error::invalid("reason", "INVALID_REASON", message));
        }
        let unknown = || Error::invalid("username", "UNKNOWN_USER", "nobody has that name");
        let name = grant.username.parse::<UserName>().map_err(|_| unknown())?;
        let user = self.identity.user_by_name(&name).await?.ok_or_else(unknown)?;
        let now = now_ms();
        let mut tx = self.store.write().await?;
        let account = account_of(&user.id);
        let movement = Movement {
            kind: "grant",
            completion: None,
            reason: Some(reason),
            by: Some(&by.username),
            amounts: &[(ISSUED, -grant.amount), (&account, grant.amount)],
        };
        let id = tx.ledger_move(&movement, now).await?;
        let detail = format!("{} microcredits to {}: {reason}", grant.amount, user.username);
        tx.audit(&by.username, "credits.granted", user.id.as_str(), &detail, now).await?;
        let balance = tx.ledger_balance(&account).await?;
        tx.commit().await?;
        Ok(StoredEntry {
            transaction_id: id,
            kind: "grant".into(),
            amount: grant.amount,
            balance,
            completion_id: None,
            reason: Some(reason.to_owned()),
            created_at: now,
        })
    }

    async fn check(&self) -> Result<(Vec<(String, i64)>, LedgerCheck, Vec<User>)> {
        let users = self.identity.user_list().await?;
        let mut tx = self.store.read().await?;
        Ok((tx.ledger_accounts().await?, tx.ledger_check().await?, users))
    }
}

//! Who has an account.

use domain::user::User;
use ids::{UserId, UserName};
use store::StoreError;

use super::password::Turn;
use super::{Identity, PASSWORD_MAX, PASSWORD_MIN};
use crate::error::{Error, Result};
use crate::now_ms;

/// The name, if an account may have it and this password.
pub(super) fn acceptable(username: &str, password: &str) -> Result<UserName> {
    let username = username
        .parse::<UserName>()
        .map_err(|error| Error::invalid("username", "INVALID_USERNAME", error.to_string()))?;
    if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        let message = format!("a password has at least {PASSWORD_MIN} characters");
        return Err(Error::invalid("password", "PASSWORD_TOO_SHORT", message));
    }
    Ok(username)
}

impl Identity {
    pub(crate) async fn user_list(&self) -> Result<Vec<User>> {
        match &self.elsewhere {
            Some(directory) => directory.user_list().await,
            None => Ok(self.store.read().await?.user_list().await?),
        }
    }

    pub(crate) async fn user_by_name(&self, name: &UserName) -> Result<Option<User>> {
        match &self.elsewhere {
            Some(directory) => {
                let users = directory.user_list().await?;
                Ok(users.into_iter().find(|user| user.username == name.as_str()))
            }
            None => Ok(self.store.read().await?.user_by_name(name).await?.map(|(user, _)| user)),
        }
    }

    /// Makes an account; one of an administrator only for the superadmin.
    pub(crate) async fn user_create(&self, by: &User, create: &api::UserCreate) -> Result<User> {
        let role = create.role.as_deref().unwrap_or("user");
        match role {
            "user" => {}
            "admin" if by.role == "superadmin" => {}
            "admin" => {
                let message = "only the superadmin, who did the first-run setup, makes administrators; ask them";
                return Err(Error::forbidden("SUPERADMIN_ONLY", message).at("role"));
            }
            _ => return Err(Error::invalid("role", "INVALID_ROLE", "a role is `user` or `admin`")),
        }
        let username = acceptable(&create.username, &create.password)?;
        let taken = || {
            let message = format!("there is a user `{}` already; choose another name", username.as_str());
            Error::conflict("NAME_TAKEN", message).at("username")
        };
        if self.store.read().await?.user_by_name(&username).await?.is_some() {
            return Err(taken());
        }
        let hash = Turn::take().await?.hash(create.password.clone()).await?;
        let user = User { id: UserId::new(), username: username.as_str().to_owned(), role: role.to_owned() };
        let now = now_ms();
        let mut tx = self.store.write().await?;
        match tx.user_insert(&user, &hash, now).await {
            Err(StoreError::Taken(_)) => return Err(taken()),
            result => result?,
        }
        let told = format!("{}, {role}", user.username);
        tx.audit(&by.username, "user.created", user.id.as_str(), &told, now).await?;
        tx.commit().await?;
        Ok(user)
    }
}

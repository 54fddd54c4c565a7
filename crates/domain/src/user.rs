//! Who may sign in.

use ids::UserId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    /// `superadmin`, `admin` or `user`.
    pub role: String,
}

//! Who may sign in.

use ids::UserId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    /// `superadmin`, `admin` or `user`.
    pub role: String,
}

impl User {
    /// Whether this user may do what concerns everybody.
    pub fn is_admin(&self) -> bool {
        matches!(self.role.as_str(), "superadmin" | "admin")
    }
}

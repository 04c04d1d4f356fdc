//! Who may do what.

use std::collections::BTreeMap;

use ruma::UserId;
use serde::Deserialize;

/// What a user may do, from nothing to everything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Nothing.
    Block,
    /// Be relayed by somebody else's login.
    Relay,
    /// Log in.
    User,
    /// See the state of the whole bridge.
    Admin,
}

/// The level of a user: by user id, else by domain, else by `*`, else none.
pub(super) fn of(permissions: &BTreeMap<String, Permission>, user: &UserId) -> Permission {
    let by = |key: &str| permissions.get(key).copied();
    by(user.as_str()).or_else(|| by(user.server_name().as_str())).or_else(|| by("*")).unwrap_or(Permission::Block)
}

/// Whether a key names users.
pub(super) fn is_key(key: &str) -> bool {
    key == "*" || UserId::parse(key).is_ok() || (!key.starts_with('@') && ruma::ServerName::parse(key).is_ok())
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn the_most_specific_entry_counts() {
        let permissions = BTreeMap::from([
            ("*".to_owned(), Permission::Relay),
            ("example.org".to_owned(), Permission::User),
            ("@root:example.org".to_owned(), Permission::Admin),
            ("@spam:example.org".to_owned(), Permission::Block),
        ]);
        assert_eq!(of(&permissions, user_id!("@a:elsewhere.org")), Permission::Relay);
        assert_eq!(of(&permissions, user_id!("@a:example.org")), Permission::User);
        assert_eq!(of(&permissions, user_id!("@root:example.org")), Permission::Admin);
        assert_eq!(of(&permissions, user_id!("@spam:example.org")), Permission::Block);
        assert_eq!(of(&BTreeMap::new(), user_id!("@a:example.org")), Permission::Block);
    }
}

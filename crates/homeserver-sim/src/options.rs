//! How a simulated homeserver is set up.

use std::{net::SocketAddr, time::Duration};

/// Options of a homeserver.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server name in ids.
    pub server_name: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The application service, if one is registered.
    pub appservice: Option<Appservice>,
    /// Forget transaction ids at once, as if every repetition came an hour later.
    pub forget_transactions: bool,
    /// First wait after a failed transaction; each further one is twice as long.
    pub first_retry: Duration,
    /// Largest upload, in bytes.
    pub upload_limit: usize,
    /// Larger uploads are taken and forgotten: they are there, and empty.
    pub kept_media: usize,
    /// Largest content of an event, in bytes.
    pub event_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_name: "sim.test".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            appservice: None,
            forget_transactions: false,
            first_retry: Duration::from_secs(1),
            upload_limit: 50 << 20,
            kept_media: 50 << 20,
            event_limit: 65_000,
        }
    }
}

/// What a registration says about an application service. Namespaces are prefixes instead of expressions.
#[derive(Clone, Debug)]
pub struct Appservice {
    /// `id` of the registration.
    pub id: String,
    /// Where transactions go; see also [`Homeserver::set_appservice_url`](crate::Homeserver::set_appservice_url).
    pub url: Option<String>,
    /// The token it shows us.
    pub as_token: String,
    /// The token with which it may act as every local user, if any: that of a second registration.
    pub puppet_token: Option<String>,
    /// The token we show it.
    pub hs_token: String,
    /// Local part of the user that the token stands for.
    pub sender_localpart: String,
    /// Local part of its bot, which is in the namespace too.
    pub bot: String,
    /// Start of the local part of its other users.
    pub user_prefix: String,
    /// Start of the local part of its aliases.
    pub alias_prefix: String,
    /// Whether typing and receipts are pushed.
    pub receive_ephemeral: bool,
}

impl Default for Appservice {
    fn default() -> Self {
        Self {
            id: "instagram".to_owned(),
            url: None,
            as_token: "as_token".to_owned(),
            puppet_token: None,
            hs_token: "hs_token".to_owned(),
            sender_localpart: "instagram_sender".to_owned(),
            bot: "instagrambot".to_owned(),
            user_prefix: "instagram_".to_owned(),
            alias_prefix: "instagram_".to_owned(),
            receive_ephemeral: true,
        }
    }
}

impl Appservice {
    /// Whether a user id of the server is in the namespace.
    pub(crate) fn covers(&self, user: &str, server_name: &str) -> bool {
        let Some((localpart, server)) = user.strip_prefix('@').and_then(|rest| rest.split_once(':')) else {
            return false;
        };
        server == server_name
            && (localpart == self.bot || localpart == self.sender_localpart || localpart.starts_with(&self.user_prefix))
    }
}

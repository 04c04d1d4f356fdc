//! Stand-in.
use super::{Config, Ig, Permission};
use ruma::{OwnedUserId, ServerName, UserId};
use std::time::Duration;
fn d(t: &Option<String>, default: Duration) -> Duration {
    t.as_ref().and_then(|t| t.trim_end_matches('s').parse().ok()).map_or(default, Duration::from_secs)
}
impl Config {
    pub fn give_up_after(&self) -> Duration {
        Duration::from_secs(3600)
    }
    pub fn ghost_prefix(&self) -> &str {
        "instagram_"
    }
    pub fn secret_key(&self) -> &[u8] {
        self.database.secret_key.as_bytes()
    }
    pub fn domain(&self) -> &ServerName {
        &self.homeserver.domain
    }
    pub fn displayname(&self, name: &str, _username: &str) -> String {
        format!("{name} (Instagram)")
    }
    pub fn bot_user_id(&self) -> OwnedUserId {
        UserId::parse(format!("@instagrambot:{}", self.homeserver.domain)).expect("checked")
    }
    pub fn matrix_options(&self) -> crate::matrix::ClientOptions {
        crate::matrix::ClientOptions::new(
            self.homeserver.address.clone(),
            self.homeserver.domain.clone(),
            self.appservice.as_token.clone(),
            self.bot_user_id(),
            "instagram_".into(),
        )
    }
    pub fn listen_address(&self) -> String {
        format!("{}:{}", self.appservice.hostname, self.appservice.port)
    }
    pub fn hs_token(&self) -> &str {
        &self.appservice.hs_token
    }
    pub fn body_limit(&self) -> usize {
        64 << 20
    }
    pub fn seal_key(&self) -> crate::store::SealKey {
        let mut k = [0; 32];
        k.copy_from_slice(&data_encoding::BASE64.decode(self.database.secret_key.as_bytes()).expect("k"));
        crate::store::SealKey::new(k)
    }
    pub fn command_prefix(&self) -> &str {
        "!ig"
    }
    pub fn permission(&self, user: &UserId) -> Permission {
        self.permissions.get(user.as_str()).copied().unwrap_or(Permission::Block)
    }
    pub fn max_characters(&self) -> usize {
        1000
    }
    pub fn bridge_notices(&self) -> bool {
        true
    }
    pub fn jitter(&self) -> f64 {
        self.instagram.jitter
    }
    pub fn reconnect_floor(&self) -> Duration {
        d(&self.instagram.reconnect_floor, Duration::from_secs(1))
    }
}
impl Ig {
    pub fn http_timeout(&self) -> Duration {
        Duration::from_secs(30)
    }
    pub fn min_send_interval(&self) -> Duration {
        Duration::ZERO
    }
    pub fn answer_timeout(&self) -> Duration {
        d(&self.answer_timeout, Duration::from_secs(15))
    }
    pub fn ping_interval(&self) -> Duration {
        d(&self.ping_interval, Duration::from_secs(20))
    }
    pub fn ping_timeout(&self) -> Duration {
        d(&self.ping_timeout, Duration::from_secs(15))
    }
}

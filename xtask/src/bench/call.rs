//! One HTTP call with JSON both ways: to the control APIs, and to the homeserver as a user.

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::Value;

/// A server that is called often.
#[derive(Clone, Debug)]
pub(super) struct Server {
    http: reqwest::Client,
    base: String,
}

impl Server {
    pub(super) fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned() })
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, None, Some(body)).await
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer = response.text().await?;
        if !status.is_success() {
            bail!("{path}: {status} {answer}");
        }
        serde_json::from_str(&answer).with_context(|| format!("{path}: no JSON"))
    }

    /// The body of a page, if there is one.
    pub(super) async fn text(&self, path: &str) -> Option<String> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.ok()?;
        if response.status().is_success() { response.text().await.ok() } else { None }
    }
}

/// A string that an answer must have.
pub(super) fn string(answer: &Value, key: &str) -> anyhow::Result<String> {
    Ok(answer[key].as_str().with_context(|| format!("no `{key}` in the answer"))?.to_owned())
}

/// Percent-encodes one part of a path or query.
pub(super) fn encode(part: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    part.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

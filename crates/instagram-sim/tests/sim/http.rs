//! An HTTP client with an account's credentials.

use std::sync::Arc;

use instagram_sim::Sim;
use serde_json::{Value, json};

use crate::client::tls;

pub(crate) struct Http {
    pub(crate) client: reqwest::Client,
    pub(crate) base: String,
    pub(crate) authorization: String,
}

pub(crate) fn bearer(pk: u64, sessionid: &str) -> String {
    let fields = json!({ "ds_user_id": pk.to_string(), "sessionid": sessionid });
    format!("Bearer IGT:2:{}", data_encoding::BASE64.encode(fields.to_string().as_bytes()))
}

impl Http {
    pub(crate) fn new(sim: &Sim, account: &instagram_sim::Account) -> Http {
        let config = Arc::unwrap_or_clone(tls(sim));
        let client = reqwest::Client::builder().tls_backend_preconfigured(config).http1_only().build().unwrap();
        let authorization = bearer(account.pk, &account.sessionid);
        Http { client, base: format!("{}api/v1/", sim.api_url()), authorization }
    }

    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response = request.header("authorization", &self.authorization).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.answer(self.client.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        self.answer(self.client.post(format!("{}{path}", self.base)).form(fields)).await
    }

    /// The items of a thread's newest page, newest first.
    pub(crate) async fn items(&self, thread: &str) -> Vec<Value> {
        let (status, page) = self.get(&format!("direct_v2/threads/{thread}/?limit=20")).await;
        assert_eq!(status, 200);
        page["thread"]["items"].as_array().unwrap().clone()
    }
}

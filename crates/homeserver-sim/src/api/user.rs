//! Versions, accounts, profiles, account data, and the ping of the application service.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    parse,
    requester::{Requester, token_of},
};
use crate::{
    clock,
    error::{Answer, MatrixError},
    push,
    sim::Sim,
};

pub(super) async fn versions() -> Json<Value> {
    let versions: Vec<String> = (1..=15).map(|minor| format!("v1.{minor}")).collect();
    Json(json!({ "versions": versions, "unstable_features": {} }))
}

pub(super) async fn capabilities(_: Requester) -> Json<Value> {
    let versions = json!({ "default": "12", "available": { "11": "stable", "12": "stable" } });
    Json(json!({ "capabilities": { "m.room_versions": versions } }))
}

#[derive(Deserialize)]
struct Register {
    #[serde(rename = "type")]
    kind: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
}

pub(super) async fn register(State(sim): State<Arc<Sim>>, request: Request) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20)
        .await
        .map_err(|_| MatrixError::bad_request("M_NOT_JSON", "the body broke off"))?;
    let body: Register = parse(&body)?;
    let is_appservice = body.kind.as_deref() == Some("m.login.application_service");
    if is_appservice {
        let token = token_of(&parts)?;
        if sim.options.appservice.as_ref().is_none_or(|appservice| appservice.as_token != token) {
            let error = "Invalid access token passed.";
            return Err(MatrixError::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", error));
        }
    }
    let username = body.username.ok_or_else(|| MatrixError::bad_request("M_MISSING_PARAM", "username is missing"))?;
    let password = if is_appservice { None } else { Some(body.password.unwrap_or_default()) };
    let answer = sim.change(|world| {
        let user = world.register(&username, password)?;
        let mut answer = json!({ "user_id": user });
        if !body.inhibit_login {
            let (token, device) = world.make_token(&user);
            answer["access_token"] = token.into();
            answer["device_id"] = device.into();
        }
        Answer::Ok(answer)
    })?;
    Ok(Json(answer).into_response())
}

pub(super) async fn login_flows() -> Json<Value> {
    Json(json!({ "flows": [{ "type": "m.login.password" }] }))
}

#[derive(Deserialize)]
struct Login {
    #[serde(rename = "type")]
    kind: String,
    identifier: Option<Identifier>,
    user: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    user: Option<String>,
}

pub(super) async fn login(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer<Json<Value>> {
    let body: Login = parse(&body)?;
    if body.kind != "m.login.password" {
        return Err(MatrixError::bad_request("M_UNKNOWN", "Unknown login type"));
    }
    let user = body.identifier.and_then(|identifier| identifier.user).or(body.user).unwrap_or_default();
    let password = body.password.unwrap_or_default();
    sim.change(|world| {
        let user = world.check_password(&user, &password)?;
        let (token, device) = world.make_token(&user);
        Ok(Json(json!({ "user_id": user, "access_token": token, "device_id": device })))
    })
}

pub(super) async fn logout(State(sim): State<Arc<Sim>>, request: Request) -> Answer<Json<Value>> {
    let (parts, _) = request.into_parts();
    let token = token_of(&parts)?;
    sim.change(|world| world.tokens.remove(&token));
    Ok(Json(json!({})))
}

pub(super) async fn whoami(requester: Requester) -> Json<Value> {
    let mut answer = json!({ "user_id": requester.user, "is_guest": false });
    if !requester.device.is_empty() {
        answer["device_id"] = requester.device.into();
    }
    Json(answer)
}

pub(super) async fn profile(State(sim): State<Arc<Sim>>, Path(user): Path<String>) -> Answer<Json<Value>> {
    let world = sim.world();
    let account = world.accounts.get(user.as_str()).ok_or_else(|| MatrixError::not_found("Profile was not found"))?;
    let mut answer = json!({});
    if let Some(name) = &account.displayname {
        answer["displayname"] = name.as_str().into();
    }
    if let Some(avatar) = &account.avatar_url {
        answer["avatar_url"] = avatar.as_str().into();
    }
    Ok(Json(answer))
}

pub(super) async fn profile_field(
    State(sim): State<Arc<Sim>>,
    Path((user, field)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    let Json(mut all) = profile(State(sim), Path(user)).await?;
    let value = all.get_mut(&field).map(Value::take).ok_or_else(|| MatrixError::not_found("Profile was not found"))?;
    Ok(Json(json!({ field: value })))
}

pub(super) async fn set_profile_field(
    State(sim): State<Arc<Sim>>,
    Path((user, field)): Path<(String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    if user != *requester.user {
        return Err(MatrixError::bad_request("M_FORBIDDEN", "Cannot set another user's profile"));
    }
    let body: Value = parse(&body)?;
    let value = body.get(&field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let now = clock::now_ms();
    match field.as_str() {
        "displayname" => {
            sim.change(|world| world.set_profile(&requester.user, |account| account.displayname = value, now))?;
        }
        "avatar_url" => {
            sim.change(|world| world.set_profile(&requester.user, |account| account.avatar_url = value, now))?;
        }
        _ => return Err(MatrixError::bad_request("M_INVALID_PARAM", "no such field")),
    }
    Ok(Json(json!({})))
}

pub(super) async fn data(
    State(sim): State<Arc<Sim>>,
    Path((_, kind)): Path<(String, String)>,
    requester: Requester,
) -> Answer<Json<Value>> {
    let world = sim.world();
    let found = world.accounts.get(&requester.user).and_then(|account| account.data.get(&kind));
    found.cloned().map(Json).ok_or_else(|| MatrixError::not_found("Account data not found"))
}

pub(super) async fn set_data(
    State(sim): State<Arc<Sim>>,
    Path((_, kind)): Path<(String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    let content: Value = parse(&body)?;
    sim.change(|world| {
        if let Some(account) = world.accounts.get_mut(&requester.user) {
            account.data.insert(kind, content);
        }
    });
    Ok(Json(json!({})))
}

pub(super) async fn room_data(
    state: State<Arc<Sim>>,
    Path((user, room, kind)): Path<(String, String, String)>,
    requester: Requester,
) -> Answer<Json<Value>> {
    data(state, Path((user, format!("{room}/{kind}"))), requester).await
}

pub(super) async fn set_room_data(
    state: State<Arc<Sim>>,
    Path((user, room, kind)): Path<(String, String, String)>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    set_data(state, Path((user, format!("{room}/{kind}"))), requester, body).await
}

/// Filters are accepted and not applied: what they would leave out does no harm to a test client.
pub(super) async fn filter(_: Requester) -> Json<Value> {
    Json(json!({ "filter_id": "0" }))
}

#[derive(Deserialize)]
struct Ping {
    transaction_id: Option<Value>,
}

pub(super) async fn ping_appservice(
    State(sim): State<Arc<Sim>>,
    State(http): State<reqwest::Client>,
    Path(id): Path<String>,
    requester: Requester,
    body: Bytes,
) -> Answer<Json<Value>> {
    if !requester.is_appservice {
        let error = "Only application services can use the /appservice/ping endpoint";
        return Err(MatrixError::forbidden(error));
    }
    if sim.options.appservice.as_ref().is_none_or(|appservice| appservice.id != id) {
        return Err(MatrixError::forbidden("Mismatching application service ID in path"));
    }
    let ping: Ping = parse(&body)?;
    push::ping(&sim, &http, ping.transaction_id).await.map(Json)
}

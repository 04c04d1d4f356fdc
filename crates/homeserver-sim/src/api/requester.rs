//! Who asks: the token, and whom an application service acts as.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts, Query},
    http::{StatusCode, header, request::Parts},
};
use serde::Deserialize;

use crate::{
    clock,
    error::{Answer, MatrixError},
    sim::Sim,
};

/// The user on whose behalf a request is made.
pub(crate) struct Requester {
    pub(crate) user: Arc<str>,
    /// Empty for the application service.
    pub(crate) device: String,
    pub(crate) is_appservice: bool,
    /// `ts`, which only an application service may set.
    at: Option<i64>,
}

#[derive(Deserialize)]
struct Parameters {
    access_token: Option<String>,
    user_id: Option<String>,
    ts: Option<i64>,
}

impl Requester {
    /// The time an event of this request gets.
    pub(crate) fn time(&self) -> i64 {
        self.at.unwrap_or_else(clock::now_ms)
    }

    /// The key of a request with a transaction id. As on Synapse it names neither ghost nor parameters.
    pub(crate) fn transaction(&self, sim: &Sim, path: &str) -> Option<String> {
        if sim.options.forget_transactions {
            return None;
        }
        let owner = if self.is_appservice { "appservice" } else { &self.device };
        Some([owner, "|", path].concat())
    }
}

/// The token of a request.
pub(crate) fn token_of(parts: &Parts) -> Answer<String> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        return token.map(str::to_owned).ok_or_else(missing);
    }
    parameters(parts)?.access_token.ok_or_else(missing)
}

fn missing() -> MatrixError {
    MatrixError::new(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "Missing access token")
}

fn parameters(parts: &Parts) -> Answer<Parameters> {
    match Query::try_from_uri(&parts.uri) {
        Ok(Query(parameters)) => Ok(parameters),
        Err(error) => Err(MatrixError::bad_request("M_INVALID_PARAM", error.to_string())),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Requester
where
    Arc<Sim>: FromRef<S>,
{
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MatrixError> {
        let sim: Arc<Sim> = FromRef::from_ref(state);
        let token = token_of(parts)?;
        match &sim.options.appservice {
            Some(appservice) if appservice.as_token == token => {
                let parameters = parameters(parts)?;
                let user = match parameters.user_id {
                    Some(user) => sim.world().masquerade(&user)?,
                    None => format!("@{}:{}", appservice.sender_localpart, sim.options.server_name).into(),
                };
                Ok(Self { user, device: String::new(), is_appservice: true, at: parameters.ts })
            }
            Some(appservice) if appservice.puppet_token.as_ref() == Some(&token) => {
                let parameters = parameters(parts)?;
                let user = match parameters.user_id {
                    Some(user) => sim.world().local_user(&user)?,
                    None => format!("@puppets:{}", sim.options.server_name).into(),
                };
                Ok(Self { user, device: String::new(), is_appservice: true, at: parameters.ts })
            }
            _ => {
                let (user, device) = sim.world().user_of_token(&token)?;
                Ok(Self { user, device, is_appservice: false, at: None })
            }
        }
    }
}

//! The control API: the library's verbs over plain HTTP and JSON, for programs in other processes.
//!
//! Listen on loopback only: whoever reaches it rules the simulator.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::BASE64;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    error::SimError,
    fault::Fault,
    options::AccountOptions,
    sim::Sim,
    verbs::{NewText, RawItem},
    world::item::Item,
};

mod items;
mod media;
mod threads;

type Control = State<Arc<Sim>>;
type Answer = Result<Json<Value>, Refused>;

/// The paths a control server offers, one a line.
pub fn paths() -> String {
    [PATHS, items::PATHS, threads::PATHS, media::PATHS].concat()
}

const PATHS: &str = "\
GET  /                                    addresses and counters
POST /accounts                            {username, full_name, pk?, sessionid?}
GET  /accounts
POST /accounts/{pk}/options               {echo_before_answer?, string_ids?, requests_are_pending?}
POST /accounts/{pk}/sessions              another session
POST /accounts/{pk}/expire                ends all sessions
POST /accounts/{pk}/cut                   closes its realtime connections
POST /accounts/{pk}/stall                 its realtime connections stop answering
POST /accounts/{pk}/trim                  {keep}: older cursors are refused from now on
POST /accounts/{pk}/faults                {fault: {kind, …}, times?, path?}
GET  /accounts/{pk}/faults                how many are left
POST /accounts/{pk}/patches               [{op, path, value}, …] as one envelope
POST /accounts/{pk}/publish               {topic, base64 | text}
GET  /accounts/{pk}/connections
POST /threads                             {members: [pk, …], title?}
POST /threads/{thread}/texts              {from, text, reply_to?, client_context?, mentions?}
POST /threads/{thread}/items              {from, item: {item_type, …}}
GET  /threads/{thread}/items?skip=&limit=
GET  /threads/{thread}/wait?count=&from=&timeout_ms=
POST /threads/{thread}/typing             {from, active}
POST /bulk                                {from, threads: [id, …], count, prefix?}: texts in turn, as fast as they go
GET  /requests?path=                      what the API was asked
";

/// Serves the verbs of `sim`.
pub fn router(sim: Arc<Sim>) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/accounts", post(create_account).get(accounts))
        .route("/accounts/{pk}/options", post(set_options))
        .route("/accounts/{pk}/sessions", post(create_session))
        .route("/accounts/{pk}/expire", post(expire))
        .route("/accounts/{pk}/cut", post(cut))
        .route("/accounts/{pk}/stall", post(stall))
        .route("/accounts/{pk}/trim", post(trim))
        .route("/accounts/{pk}/faults", post(inject).get(faults))
        .route("/accounts/{pk}/patches", post(push_patches))
        .route("/accounts/{pk}/publish", post(publish))
        .route("/accounts/{pk}/connections", get(connections))
        .route("/threads", post(create_thread))
        .route("/threads/{thread}/texts", post(send_text))
        .route("/threads/{thread}/items", post(send_item).get(items))
        .route("/threads/{thread}/wait", get(wait))
        .route("/threads/{thread}/typing", post(typing))
        .route("/bulk", post(bulk))
        .route("/requests", get(requests))
        .merge(items::router())
        .merge(threads::router())
        .merge(media::router())
        .with_state(sim)
}

struct Refused(SimError);

impl From<SimError> for Refused {
    fn from(error: SimError) -> Refused {
        Refused(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            SimError::UnknownAccount(_)
            | SimError::UnknownThread(_)
            | SimError::UnknownItem(_)
            | SimError::UnknownMedia => StatusCode::NOT_FOUND,
            SimError::NameTaken(_) => StatusCode::CONFLICT,
            SimError::NotAMember(_) | SimError::Forbidden(_) | SimError::Invalid(_) => StatusCode::BAD_REQUEST,
            SimError::DeadlinePassed(_) => StatusCode::REQUEST_TIMEOUT,
        };
        (status, Json(json!({ "error": self.0.to_string() }))).into_response()
    }
}

fn done() -> Answer {
    Ok(Json(json!({})))
}

async fn overview(State(sim): Control) -> Answer {
    Ok(Json(json!({
        "api_url": sim.api_url().as_str(),
        "realtime_address": sim.realtime_address(),
        "media_host": sim.media_host(),
        "stats": sim.stats(),
    })))
}

#[derive(Deserialize)]
struct NewAccount {
    username: String,
    #[serde(default)]
    full_name: String,
    pk: Option<u64>,
    sessionid: Option<String>,
}

async fn create_account(State(sim): Control, Json(new): Json<NewAccount>) -> Answer {
    let account = sim.create_account_with(&new.username, &new.full_name, new.pk, new.sessionid)?;
    Ok(Json(json!(account)))
}

async fn accounts(State(sim): Control) -> Answer {
    let all: Vec<Value> = sim.shared.look(|world| {
        let mut all: Vec<_> = world.accounts.values().collect();
        all.sort_by_key(|account| account.pk);
        let one = |account: &crate::world::Account| {
            json!({
                "pk": account.pk,
                "username": account.username,
                "full_name": account.full_name,
                "connections": account.connections.len(),
                "queue_head": account.queue.head(),
                "queue_kept": account.queue.len(),
                "threads": account.threads,
            })
        };
        all.into_iter().map(one).collect()
    });
    Ok(Json(json!({ "accounts": all })))
}

async fn set_options(State(sim): Control, Path(pk): Path<u64>, Json(options): Json<AccountOptions>) -> Answer {
    sim.set_options(pk, options)?;
    done()
}

async fn create_session(State(sim): Control, Path(pk): Path<u64>) -> Answer {
    Ok(Json(json!({ "sessionid": sim.create_session(pk)? })))
}

async fn expire(State(sim): Control, Path(pk): Path<u64>) -> Answer {
    sim.expire_session(pk)?;
    done()
}

async fn cut(State(sim): Control, Path(pk): Path<u64>) -> Answer {
    Ok(Json(json!({ "connections": sim.cut_connections(pk)? })))
}

async fn stall(State(sim): Control, Path(pk): Path<u64>) -> Answer {
    Ok(Json(json!({ "connections": sim.stall_connections(pk)? })))
}

#[derive(Deserialize)]
struct Trim {
    #[serde(default)]
    keep: usize,
}

async fn trim(State(sim): Control, Path(pk): Path<u64>, Json(body): Json<Trim>) -> Answer {
    sim.trim_queue(pk, body.keep)?;
    done()
}

#[derive(Deserialize)]
struct Injection {
    fault: Fault,
    #[serde(default = "once")]
    times: u32,
    path: Option<String>,
}

fn once() -> u32 {
    1
}

async fn inject(State(sim): Control, Path(pk): Path<u64>, Json(body): Json<Injection>) -> Answer {
    match body.path {
        Some(path) => sim.inject_on(pk, &path, body.fault, body.times)?,
        None => sim.inject(pk, body.fault, body.times)?,
    }
    done()
}

async fn faults(State(sim): Control, Path(pk): Path<u64>) -> Answer {
    Ok(Json(json!({ "left": sim.faults_left(pk)? })))
}

async fn push_patches(State(sim): Control, Path(pk): Path<u64>, Json(patches): Json<Vec<Value>>) -> Answer {
    Ok(Json(json!({ "seq_id": sim.push_patches(pk, &patches)? })))
}

#[derive(Deserialize)]
struct Publication {
    topic: String,
    base64: Option<String>,
    text: Option<String>,
}

async fn publish(State(sim): Control, Path(pk): Path<u64>, Json(body): Json<Publication>) -> Answer {
    let connections = match (body.base64, body.text) {
        (Some(base64), _) => {
            let bytes = BASE64.decode(base64.as_bytes()).map_err(|error| SimError::Invalid(error.to_string()))?;
            sim.push_raw_publish(pk, &body.topic, &bytes)?
        }
        (None, Some(text)) => sim.push_publish(pk, &body.topic, &text)?,
        (None, None) => return Err(SimError::Invalid("base64 or text is needed".into()).into()),
    };
    Ok(Json(json!({ "connections": connections })))
}

async fn connections(State(sim): Control, Path(pk): Path<u64>) -> Answer {
    Ok(Json(json!({ "connections": sim.connection_details(pk) })))
}

#[derive(Deserialize)]
struct NewThread {
    members: Vec<u64>,
    title: Option<String>,
}

async fn create_thread(State(sim): Control, Json(new): Json<NewThread>) -> Answer {
    Ok(Json(json!({ "thread_id": sim.create_thread(&new.members, new.title.as_deref())? })))
}

#[derive(Deserialize)]
struct TextFrom {
    from: u64,
    #[serde(flatten)]
    text: NewText,
}

async fn send_text(State(sim): Control, Path(thread): Path<String>, Json(body): Json<TextFrom>) -> Answer {
    Ok(Json(json!({ "item_id": sim.send(body.from, &thread, body.text)? })))
}

#[derive(Deserialize)]
struct ItemFrom {
    from: u64,
    item: RawItem,
}

async fn send_item(State(sim): Control, Path(thread): Path<String>, Json(body): Json<ItemFrom>) -> Answer {
    Ok(Json(json!({ "item_id": sim.send_item(body.from, &thread, body.item)? })))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    skip: usize,
    limit: Option<usize>,
}

async fn items(State(sim): Control, Path(thread): Path<String>, Query(page): Query<Page>) -> Answer {
    let all = sim.thread_items(&thread)?;
    let total = all.len();
    let shown: Vec<Item> = all.into_iter().skip(page.skip).take(page.limit.unwrap_or(usize::MAX)).collect();
    Ok(Json(json!({ "total": total, "items": shown })))
}

#[derive(Deserialize)]
struct Wait {
    count: usize,
    from: Option<u64>,
    timeout_ms: Option<u64>,
}

/// Answers once the thread has `count` items (of one sender, if named), or fails after `timeout_ms` (30 s).
async fn wait(State(sim): Control, Path(thread): Path<String>, Query(wait): Query<Wait>) -> Answer {
    let deadline = Duration::from_millis(wait.timeout_ms.unwrap_or(30_000));
    let counted = |sim: &Sim| -> Option<usize> {
        let have = match wait.from {
            None => sim.item_count(&thread).ok()?,
            Some(from) => sim.item_count_of(&thread, from).ok()?,
        };
        (have >= wait.count).then_some(have)
    };
    sim.item_count(&thread)?;
    let have = sim.wait_for(&format!("{} items", wait.count), deadline, counted).await?;
    Ok(Json(json!({ "count": have })))
}

#[derive(Deserialize)]
struct Typing {
    from: u64,
    active: bool,
}

async fn typing(State(sim): Control, Path(thread): Path<String>, Json(body): Json<Typing>) -> Answer {
    sim.show_typing(body.from, &thread, body.active)?;
    done()
}

#[derive(Deserialize)]
struct Bulk {
    from: u64,
    threads: Vec<String>,
    count: usize,
    #[serde(default)]
    prefix: String,
}

/// Sends `count` texts over the threads in turn: `{prefix}0`, `{prefix}1`, …
async fn bulk(State(sim): Control, Json(body): Json<Bulk>) -> Answer {
    if body.threads.is_empty() {
        return Err(SimError::Invalid("threads is empty".into()).into());
    }
    let started_us = crate::clock::now_us();
    for (index, thread) in body.threads.iter().cycle().take(body.count).enumerate() {
        sim.send_text(body.from, thread, &format!("{}{index}", body.prefix))?;
        if index % 256 == 255 {
            tokio::task::yield_now().await;
        }
    }
    Ok(Json(json!({ "sent": body.count, "started_us": started_us, "ended_us": crate::clock::now_us() })))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    path: String,
}

async fn requests(State(sim): Control, Query(asked): Query<Asked>) -> Answer {
    let all = sim.recorded_requests();
    let shown: Vec<Value> = all
        .iter()
        .filter(|request| request.path.contains(&asked.path))
        .map(|request| {
            // No headers and no bodies: they hold session cookies.
            json!({
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "pk": request.pk,
                "body_size": request.body_size,
                "status": request.status,
                "known": request.known,
            })
        })
        .collect();
    Ok(Json(json!({ "requests": shown })))
}

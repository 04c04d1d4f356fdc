//! Events and requests without what changes from run to run.

use instagram_sim::RecordedRequest;
use serde_json::{Map, Value, json};

/// Fields that name the device or the attempt.
const OPEN_FIELDS: [&str; 3] = ["_uuid", "device_id", "dev.puppetgram.request"];

/// Headers that say nothing about an upload; the last two are what Instagram has given the session.
const OF_ANY_REQUEST: [&str; 11] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "user-agent",
    "ig-u-rur",
    "x-mid",
];

/// What ids are called in a record.
#[derive(Debug, Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// Calls an id by a name. What is added first counts first.
    pub fn add(&mut self, id: &str, name: &str) {
        self.0.push((id.to_owned(), name.to_owned()));
    }

    /// A value in which ids have names, and numbers, codes and addresses that change are dots.
    pub fn apply(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) if number.as_i64().is_some_and(|number| number.abs() >= 1_000_000_000) => json!("…"),
            Value::Array(all) => all.iter().map(|one| self.apply(one)).collect(),
            Value::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| !OPEN_FIELDS.contains(&key.as_str()));
                kept.map(|(key, value)| (self.text(key), self.field(key, value))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn field(&self, key: &str, value: &Value) -> Value {
        match key {
            // The item as it came: its text is longer than all the rest.
            "raw" if value.is_string() => json!("…"),
            _ => self.apply(value),
        }
    }

    fn text(&self, text: &str) -> String {
        let named = self.0.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name));
        let lines: Vec<String> = named.lines().map(without_code).map(|line| without_numbers(&line)).collect();
        lines.join("\n")
    }
}

/// A link whose last part is a code made up by the simulator.
fn without_code(line: &str) -> String {
    for kind in ["/p/", "/reel/", "/stories/bob/", "mxc://", "matrix.to/#/!"] {
        if let Some((start, _)) = line.split_once(kind) {
            return format!("{start}{kind}…");
        }
    }
    line.to_owned()
}

/// Ids of events, items, devices and uploads, and times, as dots.
fn without_numbers(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let changes = digits >= 10 || (word.len() >= 32 && digits > 0) || (word.len() == 43 && out.ends_with('$'));
        out.push_str(if changes { "…" } else { word });
        let length = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..length]);
        rest = &after[length..];
    }
    out
}

/// What came of one line: everything in the room that nobody did in a client, and everything asked of Instagram that is
/// more than looking.
pub(super) fn of<'a>(
    names: &Names,
    users: &[&str],
    events: impl Iterator<Item = &'a Value>,
    requests: impl Iterator<Item = &'a RecordedRequest>,
) -> Value {
    let is_fence = |text: &str| text.starts_with('⟨');
    let events = events.filter(|event| !users.iter().any(|user| event["sender"] == *user));
    let events = events.filter(|event| !is_fence(event["content"]["body"].as_str().unwrap_or_default()));
    let events: Vec<Value> = events.map(|event| self::event(names, event)).collect();
    let requests = requests.filter(|request| request.method != "GET");
    let requests = requests.map(|request| (request, fields(request)));
    let requests = requests.filter(|(_, fields)| !is_fence(fields["text"].as_str().unwrap_or_default()));
    let requests: Vec<Value> = requests
        .map(|(request, fields)| json!({"request": names.text(&format!("{} {}", request.method, request.path)), "fields": names.apply(&fields)}))
        .collect();
    json!({"matrix": events, "instagram": requests})
}

/// An event as the table shows it.
pub fn event(names: &Names, event: &Value) -> Value {
    let mut shown = json!({"type": event["type"], "content": names.apply(&event["content"])});
    for key in ["sender", "state_key", "redacts"] {
        if event[key].is_string() {
            shown[key] = names.apply(&event[key]);
        }
    }
    shown
}

/// The fields of a request: of a command, of a form, of a signed form, or of an upload's headers.
fn fields(request: &RecordedRequest) -> Value {
    if request.header("x-entity-type").is_some() {
        let of_upload = request.headers.iter().filter(|(name, _)| !OF_ANY_REQUEST.contains(&name.as_str()));
        let mut fields: Map<String, Value> =
            of_upload.map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        fields.insert("bytes".to_owned(), request.body_size.into());
        return Value::Object(fields);
    }
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(&request.body) {
        return value;
    }
    let form = reqwest::Url::parse(&format!("http://form/?{}", request.body)).ok();
    let pairs = form.iter().flat_map(|form| form.query_pairs());
    let mut fields: Map<String, Value> =
        pairs.map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect();
    if let Some(Value::String(signed)) = fields.remove("signed_body") {
        let json = signed.split_once('.').map_or("", |(_, json)| json);
        fields = serde_json::from_str(json).unwrap_or_default();
    }
    Value::Object(fields)
}

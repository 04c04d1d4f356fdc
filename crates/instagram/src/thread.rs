//! Threads and users as Instagram describes them, in the inbox, in thread pages and in sync events.
//!
//! Fields come and go between endpoints and releases: nothing but the ids is relied upon.

use std::fmt;

use crate::item::Item;
use crate::number::Object;

/// One chat.
#[derive(Clone, PartialEq, Default)]
pub struct Thread {
    /// The id that paths and commands use: 39 decimal digits, opaque.
    pub thread_id: String,
    /// The id that the web uses.
    pub thread_v2_id: Option<String>,
    /// The other members; never the account itself.
    pub users: Vec<User>,
    /// Members who left; their items are still there.
    pub left_users: Vec<User>,
    /// Who added the account.
    pub inviter: Option<User>,
    /// Members who may administrate.
    pub admin_user_ids: Option<Vec<String>>,
    /// The account itself.
    pub viewer_id: Option<String>,
    /// More than two people, or made as a group. `None` when not said.
    pub is_group: Option<bool>,
    /// A message request.
    pub pending: Option<bool>,
    /// Put away.
    pub archived: bool,
    /// Notifications are off.
    pub muted: bool,
    /// A member gave it a name. `None` when not said.
    pub named: Option<bool>,
    /// The name, made up by Instagram unless [`Thread::named`].
    pub title: Option<String>,
    /// The picture of a group.
    pub image: Option<Image>,
    /// Newest first.
    pub items: Vec<Item>,
    /// Microseconds.
    pub last_activity_us: Option<i64>,
    /// What the account has read; `None` when not said.
    pub unread: Option<bool>,
    /// How far each member has read.
    pub last_seen: Vec<LastSeen>,
    /// There are earlier items.
    pub has_older: bool,
    /// Asks for earlier items.
    pub oldest_cursor: Option<String>,
    /// Asks for later items.
    pub newest_cursor: Option<String>,
    /// 0 primary, 1 general.
    pub folder: Option<i64>,
    /// Vanish mode.
    pub vanish_mode: Option<bool>,
    /// Joining needs an admin.
    pub approval_required: Option<bool>,
    /// What members are called in this chat, by their ids; `None` when not said. (The app's model of a thread has a list
    /// `nicknames` of `igid` and `nickname`; not seen on the wire yet.)
    pub nicknames: Option<Vec<(String, String)>>,
}

/// How far one member has read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastSeen {
    /// The reader.
    pub user_id: String,
    /// The last item read.
    pub item_id: Option<String>,
    /// Microseconds.
    pub timestamp_us: Option<i64>,
}

/// A picture with its address, which is signed and expires.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Stays the same while the picture does.
    pub id: Option<String>,
    /// The largest version.
    pub url: String,
    /// Pixels.
    pub width: Option<i64>,
    /// Pixels.
    pub height: Option<i64>,
}

/// A person.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct User {
    /// The numeric id, opaque.
    pub pk: String,
    /// The handle, without `@`.
    pub username: String,
    /// The name they chose; may be empty.
    pub full_name: String,
    /// Signed address of the profile picture; expires.
    pub profile_pic_url: Option<String>,
    /// Stays the same while the picture does.
    pub profile_pic_id: Option<String>,
    /// The grey silhouette.
    pub has_anonymous_profile_picture: bool,
    /// Posts are visible to followers only.
    pub is_private: bool,
    /// The blue badge.
    pub is_verified: bool,
    /// Not zero: not a user of Instagram.
    pub interop_user_type: Option<i64>,
}

impl Thread {
    /// Reads a thread object. `None` if it has no id.
    pub fn decode(json: &str) -> Option<Self> {
        Self::from_object(&Object::parse(json)?, None)
    }

    /// Reads a thread whose id may be known from elsewhere.
    pub fn from_object(object: &Object<'_>, known_id: Option<&str>) -> Option<Self> {
        let thread_id = known_id.map(str::to_owned).or_else(|| object.id("thread_id"))?;
        let items = object.objects("items");
        Some(Self {
            thread_id,
            thread_v2_id: object.id("thread_v2_id"),
            users: users(object, "users"),
            left_users: users(object, "left_users"),
            inviter: object.object("inviter").and_then(|user| User::from_object(&user)),
            admin_user_ids: object.has("admin_user_ids").then(|| object.ids("admin_user_ids")),
            viewer_id: object.id("viewer_id").filter(|id| id != "0"),
            is_group: object.maybe_flag("is_group"),
            pending: object.maybe_flag("pending"),
            archived: object.flag("archived"),
            muted: object.flag("muted"),
            named: object.maybe_flag("named"),
            title: object.text("thread_title"),
            image: object.object("thread_image").and_then(|image| Image::from_object(&image)),
            items: items.iter().filter_map(|item| Item::from_object(item, None)).collect(),
            last_activity_us: object.integer("last_activity_at"),
            unread: object.integer("read_state").map(|state| state != 0),
            last_seen: object.object("last_seen_at").map(|seen| last_seen(&seen)).unwrap_or_default(),
            has_older: object.flag("has_older"),
            oldest_cursor: object.id("oldest_cursor"),
            newest_cursor: object.id("newest_cursor"),
            nicknames: object.has("nicknames").then(|| nicknames(object)),
            folder: object.integer("folder"),
            vanish_mode: object.maybe_flag("shh_mode_enabled"),
            approval_required: object.maybe_flag("approval_required_for_new_members"),
        })
    }

    /// Tells whether this is a group; guessed from the members when not said.
    pub fn is_group(&self) -> bool {
        self.is_group.unwrap_or(self.users.len() > 1)
    }

    /// A member, past or present, or the inviter.
    pub fn user(&self, pk: &str) -> Option<&User> {
        self.users.iter().chain(&self.left_users).chain(&self.inviter).find(|user| user.pk == pk)
    }

    /// What the chat is called: a group's title, else the other person's name.
    pub fn name(&self) -> Option<&str> {
        let title = self.title.as_deref();
        if self.is_group() { title } else { self.users.first().map(User::name).or(title) }
    }

    /// The chat on the web.
    pub fn link(&self) -> String {
        thread_link(self.thread_v2_id.as_deref().unwrap_or(&self.thread_id))
    }
}

/// A chat on the web.
pub fn thread_link(thread_id: &str) -> String {
    format!("https://www.instagram.com/direct/t/{thread_id}/")
}

fn users(object: &Object<'_>, key: &str) -> Vec<User> {
    object.objects(key).iter().filter_map(User::from_object).collect()
}

/// A list of objects; a map from ids to names is understood as well.
fn nicknames(thread: &Object<'_>) -> Vec<(String, String)> {
    let listed = thread.objects("nicknames").into_iter();
    let listed: Vec<(String, String)> = listed
        .filter_map(|one| Some((one.first_id(&["igid", "user_id", "pk", "id"])?, one.text("nickname")?)))
        .collect();
    let map = thread.object("nicknames").filter(|_| listed.is_empty());
    let mapped = map.iter().flat_map(|map| map.fields());
    let mapped = mapped.filter_map(|(id, name)| Some((id.to_owned(), serde_json::from_str::<String>(name).ok()?)));
    let all = mapped.collect::<Vec<_>>().into_iter().chain(listed);
    all.filter(|(_, name)| !name.trim().is_empty()).collect()
}

fn last_seen(seen: &Object<'_>) -> Vec<LastSeen> {
    let mut members = Vec::new();
    for (user_id, state) in seen.fields() {
        if let Some(state) = Object::parse(state) {
            members.push(LastSeen {
                user_id: user_id.to_owned(),
                item_id: state.id("item_id"),
                timestamp_us: state.integer("timestamp"),
            });
        }
    }
    members
}

impl Image {
    /// Reads an object with `image_versions2`. `None` if there is no address.
    pub fn from_object(object: &Object<'_>) -> Option<Self> {
        let versions = object.object("image_versions2")?.objects("candidates");
        let largest = versions
            .iter()
            .filter_map(|version| Some((version.text("url")?, version.integer("width"), version.integer("height"))))
            .max_by_key(|(_, width, height)| width.unwrap_or(0).saturating_mul(height.unwrap_or(0)))?;
        let (url, width, height) = largest;
        Some(Self { id: object.id("id"), url, width, height })
    }
}

impl User {
    /// Reads a user object. `None` if it has no id.
    pub fn decode(json: &str) -> Option<Self> {
        Self::from_object(&Object::parse(json)?)
    }

    /// Reads a user object. `None` if it has no id.
    pub fn from_object(object: &Object<'_>) -> Option<Self> {
        Some(Self {
            pk: object.first_id(&["pk", "pk_id", "id"]).filter(|pk| pk != "0")?,
            username: object.text("username").unwrap_or_default(),
            full_name: object.text("full_name").unwrap_or_default(),
            profile_pic_url: object.text("profile_pic_url"),
            profile_pic_id: object.id("profile_pic_id"),
            has_anonymous_profile_picture: object.flag("has_anonymous_profile_picture"),
            is_private: object.flag("is_private"),
            is_verified: object.flag("is_verified"),
            interop_user_type: object.integer("interop_user_type"),
        })
    }

    /// The full name, else the handle.
    pub fn name(&self) -> &str {
        if self.full_name.trim().is_empty() { &self.username } else { &self.full_name }
    }

    /// What changes exactly when the profile picture does: its id, else the file name in its address, whose
    /// signature changes with every answer. `None` if there is no picture.
    pub fn picture_key(&self) -> Option<&str> {
        if self.has_anonymous_profile_picture {
            return None;
        }
        let from_url = || {
            let path = self.profile_pic_url.as_deref()?.split(['?', '#']).next()?;
            path.rsplit('/').next().filter(|name| !name.is_empty())
        };
        self.profile_pic_id.as_deref().or_else(from_url)
    }
}

// Names and addresses are private: `Debug` shows ids and counts.

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("thread_id", &self.thread_id)
            .field("users", &self.users)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({})", self.pk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicknames_are_a_list_or_a_map() {
        let nicknames = |json: &str| Thread::decode(&format!(r#"{{"thread_id":"1"{json}}}"#)).unwrap().nicknames;
        let bobby = vec![("7".to_owned(), "Bobby".to_owned())];
        assert_eq!(nicknames(""), None);
        assert_eq!(nicknames(r#","nicknames":[]"#), Some(vec![]));
        assert_eq!(nicknames(r#","nicknames":[{"igid":"7","nickname":"Bobby"},{"igid":8}]"#), Some(bobby.clone()));
        assert_eq!(nicknames(r#","nicknames":{"7":"Bobby","8":" "}"#), Some(bobby));
        assert_eq!(nicknames(r#","nicknames":3"#), Some(vec![]));
    }

    #[test]
    fn a_thread_of_wrong_types_is_a_thread_of_what_fits() {
        let thread = Thread::decode(
            r#"{"thread_id":340282366841710300949128000000000000001,"users":[{"pk_id":"7","username":5},{"full_name":"no id"},
            "x",{"pk":0},{"pk":18446744073709551615,"full_name":"Big"}],"is_group":"1","thread_title":[],"items":[{"item_id":1,
            "item_type":"text","text":"a"},7,{"item_type":"text"}],"last_seen_at":{"7":{"timestamp":"12","item_id":3},"8":null},
            "pending":1,"last_activity_at":"1767225600123456","oldest_cursor":30076213210116812312341061613568000,"read_state":1}"#,
        )
        .unwrap();
        assert_eq!(thread.thread_id, "340282366841710300949128000000000000001");
        let pks: Vec<_> = thread.users.iter().map(|user| user.pk.as_str()).collect();
        assert_eq!(pks, ["7", "18446744073709551615"]);
        assert_eq!(thread.title, None);
        assert_eq!(thread.items.len(), 1, "an item without an id cannot be told apart from itself");
        let seen = LastSeen { user_id: "7".to_owned(), item_id: Some("3".to_owned()), timestamp_us: Some(12) };
        assert_eq!(thread.last_seen, [seen]);
        assert_eq!(thread.oldest_cursor.as_deref(), Some("30076213210116812312341061613568000"));
        assert!(thread.is_group() && thread.pending == Some(true) && thread.unread == Some(true));
        assert_eq!(thread.last_activity_us, Some(1_767_225_600_123_456));
    }

    #[test]
    fn a_thread_needs_only_its_id() {
        assert_eq!(Thread::decode(r#"{"thread_id":"1"}"#).unwrap().thread_id, "1");
        assert!(Thread::decode("{}").is_none() && Thread::decode("[]").is_none());
    }

    #[test]
    fn a_chat_is_named_after_its_title_or_the_other_person() {
        let one = r#"{"thread_id":1,"thread_title":"bob","is_group":false,"users":[{"pk":2,"username":"bob","full_name":"Bob B"}]}"#;
        assert_eq!(Thread::decode(one).unwrap().name(), Some("Bob B"));
        assert_eq!(Thread::decode(&one.replace("Bob B", " ")).unwrap().name(), Some("bob"));
        assert_eq!(Thread::decode(&one.replace("false", "true")).unwrap().name(), Some("bob"));
        assert_eq!(Thread::decode(r#"{"thread_id":1}"#).unwrap().name(), None);
    }

    #[test]
    fn the_picture_key_outlives_the_signature() {
        let url = |query: &str| format!(r#"{{"pk":1,"profile_pic_url":"https://x.fbcdn.net/v/t51/12_n.jpg?{query}"}}"#);
        let key = |json: &str| User::decode(json).unwrap().picture_key().map(str::to_owned);
        assert_eq!(key(&url("oh=1")).as_deref(), Some("12_n.jpg"));
        assert_eq!(key(&url("oh=1")), key(&url("oh=2")));
        assert_eq!(
            key(r#"{"pk":1,"profile_pic_id":"99_1","profile_pic_url":"https://a/b.jpg"}"#).as_deref(),
            Some("99_1")
        );
        assert_eq!(key(r#"{"pk":1,"has_anonymous_profile_picture":true,"profile_pic_url":"https://a/b.jpg"}"#), None);
        assert_eq!(key(r#"{"pk":1}"#), None);
    }
}

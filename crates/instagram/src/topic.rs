//! The topics of the realtime connection: names in documentation, decimal ids on the wire.

/// A topic this crate has an opinion about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Topic {
    /// `/pp`: content unknown; an event, never a reason to reconnect.
    Notify = 34,
    /// `/pubsub`: skywalker subscriptions out, typing in.
    PubSub = 88,
    /// `/t_fs`: foreground state.
    ForegroundState = 102,
    /// `/ig_send_message`: commands.
    SendMessage = 132,
    /// `/ig_send_message_response`: answers to commands.
    SendMessageResponse = 133,
    /// `/ig_sub_iris`: subscription to the queue of messages.
    SubIris = 134,
    /// `/ig_sub_iris_response`: its answer.
    SubIrisResponse = 135,
    /// `/iris_server_reset`: handled by no known client.
    IrisServerReset = 141,
    /// `/ig_message_sync`: the queue of messages.
    MessageSync = 146,
    /// `/ig_realtime_sub`: GraphQL subscriptions out, typing and presence in.
    RealtimeSub = 149,
    /// `/t_region_hint`: the data centre.
    RegionHint = 150,
    /// `/notify_disconnect`: handled by no known client.
    NotifyDisconnect = 176,
    /// `/ls_resp`: another product, ignored.
    LightspeedResponse = 179,
    /// `/rs_req`: another product, ignored.
    StreamRequest = 244,
    /// `/rs_resp`: another product, ignored.
    StreamResponse = 245,
    /// `/t_rtc_log`: calls, ignored.
    RtcLog = 274,
}

const ALL: [(Topic, &str, &str); 16] = [
    (Topic::MessageSync, "146", "/ig_message_sync"),
    (Topic::SendMessageResponse, "133", "/ig_send_message_response"),
    (Topic::SendMessage, "132", "/ig_send_message"),
    (Topic::RealtimeSub, "149", "/ig_realtime_sub"),
    (Topic::PubSub, "88", "/pubsub"),
    (Topic::SubIris, "134", "/ig_sub_iris"),
    (Topic::SubIrisResponse, "135", "/ig_sub_iris_response"),
    (Topic::RegionHint, "150", "/t_region_hint"),
    (Topic::ForegroundState, "102", "/t_fs"),
    (Topic::Notify, "34", "/pp"),
    (Topic::IrisServerReset, "141", "/iris_server_reset"),
    (Topic::NotifyDisconnect, "176", "/notify_disconnect"),
    (Topic::LightspeedResponse, "179", "/ls_resp"),
    (Topic::StreamRequest, "244", "/rs_req"),
    (Topic::StreamResponse, "245", "/rs_resp"),
    (Topic::RtcLog, "274", "/t_rtc_log"),
];

impl Topic {
    /// Recognises a topic by id (`146`) or name (`/ig_message_sync`, with or without the slash).
    pub fn parse(text: &str) -> Option<Topic> {
        ALL.iter()
            .find(|(_, id, name)| text == *id || text == *name || Some(text) == name.strip_prefix('/'))
            .map(|(topic, _, _)| *topic)
    }

    /// The number of the topic.
    pub fn id(self) -> u16 {
        self as u16
    }

    /// What the topic field of a PUBLISH holds: the id in decimal.
    pub fn wire(self) -> &'static str {
        self.entry().1
    }

    /// The documented name, with its slash.
    pub fn name(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> &'static (Topic, &'static str, &'static str) {
        ALL.iter().find(|(topic, _, _)| *topic == self).expect("the table has every topic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_known_by_its_id_and_by_its_name() {
        for (topic, id, name) in ALL {
            assert_eq!(topic.id().to_string(), id);
            assert_eq!((topic.wire(), topic.name()), (id, name));
            assert_eq!(Topic::parse(id), Some(topic));
            assert_eq!(Topic::parse(name), Some(topic));
            assert_eq!(Topic::parse(&name[1..]), Some(topic));
        }
        assert_eq!(Topic::parse("7"), None);
        assert_eq!(Topic::parse(""), None);
    }
}

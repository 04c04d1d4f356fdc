//! Answers are read in every variant, also odd ones.

use http::{Response, StatusCode};
use instagram::api::{
    AddUsers, BroadcastAttachment, BroadcastText, BroadcastTextToUsers, ClipItem, CreateGroup, CurrentUser, Endpoint,
    GetThread, Inbox, Logout, PendingInbox, RankedRecipients, React, RemoveThreadImage, SearchUsers, SetThreadImage,
    SpamInbox, ThreadByParticipants, Unsend, UserByName, UserInfo,
};
use instagram::error::ApiError;

fn answer<E: Endpoint>(body: &str) -> Result<E::Answer, ApiError> {
    E::answer(&Response::new(body.as_bytes().to_vec()))
}

#[test]
fn answers_are_read_in_every_variant() {
    let user = answer::<CurrentUser>(r#"{"user":{"pk":12345678901,"username":"anna"},"status":"ok"}"#).unwrap();
    assert_eq!((user.pk.as_str(), user.username.as_str()), ("12345678901", "anna"));

    let page = answer::<Inbox>(
        r#"{"inbox":{"threads":[{"thread_id":"1"},{"users":[]},7],"has_older":true,"oldest_cursor":"c"},
        "seq_id":"1234","snapshot_at_ms":1767225600123,"viewer":{"pk":9},"status":"ok"}"#,
    )
    .unwrap();
    assert_eq!((page.threads.len(), page.unreadable, page.has_older), (1, 2, true));
    assert_eq!((page.seq_id, page.snapshot_at_ms), (Some(1234), Some(1_767_225_600_123)));
    assert_eq!((page.oldest_cursor.as_deref(), page.viewer.unwrap().pk.as_str()), (Some("c"), "9"));

    let thread = answer::<GetThread>(r#"{"thread":{"thread_id":1,"items":[{"item_id":2}]},"status":"ok"}"#).unwrap();
    assert_eq!(thread.items[0].item_id, "2");

    let receipt = r#"{"client_context":"7","item_id":30076213210116812312341061613568001,"timestamp":"5"}"#;
    for body in [
        format!(r#"{{"action":"item_ack","status_code":"200","payload":{receipt},"status":"ok"}}"#),
        format!(r#"{{"message_metadata":[{receipt}],"status":"ok"}}"#),
    ] {
        let sent = answer::<BroadcastText>(&body).unwrap();
        assert_eq!(sent.item_id, "30076213210116812312341061613568001");
        assert_eq!((sent.client_context.as_deref(), sent.timestamp_us), (Some("7"), Some(5)));
    }
    let refused = answer::<BroadcastText>(r#"{"payload":{"message":"target item is not supported"},"status":"fail"}"#);
    assert!(matches!(refused, Err(ApiError::Refused { message: Some(said), .. }) if said.contains("not supported")));

    assert_eq!(answer::<Logout>(r#"{"status":"ok"}"#), Ok(()));
    assert_eq!(answer::<Logout>(r#"{"message":"login_required","status":"fail"}"#), Ok(()), "already logged out");
    for malformed in ["{}", r#"{"user":null,"status":"ok"}"#, r#"{"user":[{"pk":1}]}"#] {
        assert_eq!(answer::<UserInfo>(malformed), Err(ApiError::Malformed { missing: "the user" }));
    }
}

#[test]
fn every_send_has_the_same_receipt() {
    let body = r#"{"payload":{"item_id":"1","thread_id":"340282366841710300949128000000000000001"},"status":"ok"}"#;
    let first = answer::<BroadcastTextToUsers>(body).unwrap();
    assert_eq!(first.thread_id.as_deref(), Some("340282366841710300949128000000000000001"));
    assert_eq!(answer::<BroadcastAttachment>(body), Ok(first.clone()));
    assert_eq!(answer::<React>(body), Ok(first));
}

#[test]
fn a_page_of_requests_is_a_page_of_the_inbox() {
    let body = r#"{"inbox":{"threads":[{"thread_id":"1","pending":true}],"has_older":true,"oldest_cursor":"c"},
        "pending_requests_total":"3","status":"ok"}"#;
    let page = answer::<PendingInbox>(body).unwrap();
    assert_eq!((page.threads.len(), page.threads[0].pending, page.pending_requests), (1, Some(true), Some(3)));
    assert_eq!((page.has_older, page.oldest_cursor.as_deref(), page.seq_id), (true, Some("c"), None));
    assert_eq!(answer::<SpamInbox>(body).unwrap().threads.len(), 1);
}

#[test]
fn pages_of_a_thread_lead_on_to_the_one_before() {
    let page = answer::<GetThread>(
        r#"{"thread":{"thread_id":"1","items":[{"item_id":"9"},{"item_id":"8"}],"has_older":true,
        "oldest_cursor":"8"},"status":"ok"}"#,
    )
    .unwrap();
    let next = GetThread { thread_id: page.thread_id, cursor: page.oldest_cursor.filter(|_| page.has_older), limit: 2 };
    let query = super::pairs(super::request(&next).uri().query().unwrap().as_bytes());
    assert_eq!((query["cursor"].as_str(), query["limit"].as_str(), query["direction"].as_str()), ("8", "2", "older"));
    let last = answer::<GetThread>(r#"{"thread":{"thread_id":"1","items":[],"oldest_cursor":null}}"#).unwrap();
    assert_eq!((last.has_older, last.oldest_cursor), (false, None));
}

#[test]
fn a_new_group_is_read_in_both_variants() {
    for body in [
        r#"{"thread_id":"7","thread_title":"T","users":[{"pk":1},{"pk":2}],"status":"ok"}"#,
        r#"{"thread":{"thread_id":7},"status":"ok"}"#,
        r#"{"thread_id":7,"status":"ok"}"#,
    ] {
        assert_eq!(answer::<CreateGroup>(body).unwrap().thread_id, "7", "{body}");
    }
    assert_eq!(answer::<CreateGroup>("{}"), Err(ApiError::Malformed { missing: "the thread" }));
}

#[test]
fn people_without_a_thread_are_no_error() {
    let found = answer::<ThreadByParticipants>(r#"{"thread":{"thread_id":7},"status":"ok"}"#).unwrap();
    assert_eq!(found.unwrap().thread_id, "7");
    for body in [r#"{"status":"ok"}"#, r#"{"thread":null,"status":"ok"}"#, r#"{"thread":{},"status":"ok"}"#] {
        assert_eq!(answer::<ThreadByParticipants>(body), Ok(None), "{body}");
    }
    let mut missing = Response::new(br#"{"message":"Thread does not exist","status":"fail"}"#.to_vec());
    *missing.status_mut() = StatusCode::NOT_FOUND;
    assert_eq!(ThreadByParticipants::answer(&missing), Ok(None));
    let malformed = Err(ApiError::Malformed { missing: "the thread" });
    assert_eq!(answer::<ThreadByParticipants>(r#"{"thread":[1],"status":"ok"}"#), malformed);
}

#[test]
fn searches_pass_over_what_is_no_person() {
    let pks = |users: Vec<instagram::thread::User>| users.into_iter().map(|user| user.pk).collect::<Vec<_>>();
    let users = answer::<SearchUsers>(r#"{"num_results":3,"users":[{"pk":"42"},{"username":"x"},7,{"pk":43}]}"#);
    assert_eq!(pks(users.unwrap()), ["42", "43"]);
    assert_eq!(answer::<SearchUsers>(r#"{"users":[]}"#), Ok(Vec::new()));
    assert_eq!(answer::<SearchUsers>("{}"), Err(ApiError::Malformed { missing: "the users" }));

    let recipients = answer::<RankedRecipients>(
        r#"{"ranked_recipients":[
        {"thread":{"thread_id":"1","is_group":false,"users":[{"pk":42}]}},
        {"user":{"pk":42}},
        {"thread":{"thread_id":"2","is_group":true,"users":[{"pk":50}]}},
        {"thread":{"thread_id":"3","users":[{"pk":51},{"pk":52}]}},
        {"user":{"pk":43}},{"page":{}},null],"status":"ok"}"#,
    );
    assert_eq!(pks(recipients.unwrap()), ["42", "43"]);
    let bob = answer::<UserByName>(r#"{"user":{"pk":42,"username":"bob"},"status":"ok"}"#).unwrap();
    assert_eq!((bob.pk.as_str(), bob.username.as_str()), ("42", "bob"));
}

#[test]
fn a_reel_is_the_media_as_it_came() {
    let clip = answer::<ClipItem>(r#"{"media":{"pk":18446744073709551616, "code":"x"},"status":"ok"}"#);
    assert_eq!(clip.as_deref(), Ok(r#"{"pk":18446744073709551616, "code":"x"}"#));
    assert_eq!(answer::<ClipItem>(r#"{"media":[]}"#), Err(ApiError::Malformed { missing: "the media" }));
}

#[test]
fn a_mutation_has_succeeded_only_if_it_says_so() {
    for body in [
        r#"{"data":{"xig_direct_update_thread_image":{"id":"1"}}}"#,
        r#"{"data":{"1$xig_direct_update_thread_image(input:$input)":{"__typename":"X"}},"extensions":{}}"#,
    ] {
        assert_eq!(answer::<SetThreadImage>(body), Ok(()), "{body}");
    }
    let removed = r#"{"data":{"1$xig_direct_remove_thread_image(input:$input)":{"__typename":"X"}}}"#;
    assert_eq!(answer::<RemoveThreadImage>(removed), Ok(()));
    let refused = answer::<SetThreadImage>(r#"{"errors":[{"message":"no","summary":"Not you","code":1675012}]}"#);
    let message = Some("Not you".to_owned());
    assert_eq!(refused, Err(ApiError::Refused { status: 200, message, error_type: Some("1675012".to_owned()) }));
    for body in ["{}", r#"{"data":null}"#, r#"{"data":{"xig_direct_update_thread_image":null}}"#] {
        assert_eq!(answer::<SetThreadImage>(body), Err(ApiError::Malformed { missing: "the outcome" }), "{body}");
    }
}

#[test]
fn what_only_has_to_be_done_needs_no_more_than_a_success() {
    assert_eq!(answer::<Unsend>(r#"{"status":"ok"}"#), Ok(()));
    assert_eq!(answer::<AddUsers>(r#"{"thread":{"thread_id":1},"status":"ok"}"#), Ok(()));
    let refused = answer::<AddUsers>(r#"{"message":"Not allowed","status":"fail"}"#);
    assert!(matches!(refused, Err(ApiError::Refused { message: Some(said), .. }) if said == "Not allowed"));
    assert_eq!(answer::<Unsend>("<html>"), Err(ApiError::NotJson { status: 200 }));
}

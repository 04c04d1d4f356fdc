//! The store suite: every verb on both databases, from one list.
//!
//! PostgreSQL is the server that `PUPPETGRAM_TEST_POSTGRES` names, with one database for each test. Without it that half
//! says that it is skipped; with `PUPPETGRAM_REQUIRE_SERVERS=1` it fails.

mod accounts;
mod delivery;
mod facts;
mod history;
mod opening;
mod world;
mod writing;

use self::world::World;

macro_rules! on_both_databases {
    ($($module:ident { $($name:ident;)* })*) => {
        mod sqlite { $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
            super::$module::$name(&super::World::sqlite()).await;
        })*)* }
        mod postgres { $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
            let Some(world) = super::World::postgres().await else { return };
            super::$module::$name(&world).await;
            world.remove().await;
        })*)* }
    };
}

on_both_databases! {
    delivery {
        a_transaction_is_accepted_once;
        an_event_in_two_transactions_is_one_row;
        rows_come_back_in_order_and_as_they_were;
        each_lane_has_its_own_rows;
        the_cursor_comes_with_its_rows_and_only_grows;
        a_reconciled_cursor_replaces_a_higher_one;
        a_gap_is_remembered_until_it_is_filled;
        rows_and_cursor_are_accepted_together_or_not_at_all;
        an_echo_confirms_its_send_and_is_no_row;
        an_echo_that_comes_after_settling_is_no_row;
        an_own_item_that_we_did_not_send_is_a_row;
        an_own_item_in_another_logins_portal_is_a_row;
        a_request_is_fresh_once_and_then_maybe_sent;
        a_confirmed_request_says_its_result;
        a_request_names_the_row_it_is_for;
        settling_maps_and_erases;
        settling_twice_changes_nothing;
        settling_many_rows_is_one_verb;
        a_failed_row_is_parked_and_its_lane_goes_on;
        a_row_put_back_holds_back_its_lane_until_its_time;
        the_depth_counts_pending_rows;
        pruning_forgets_keys_after_a_week;
        pruning_leaves_pending_and_failed_rows;
        a_failed_row_is_tried_again_or_discarded;
    }
    facts {
        a_portal_is_made_once;
        a_portal_keeps_what_is_saved;
        what_two_lanes_change_of_a_portal_is_all_kept;
        a_room_leads_to_the_portal_that_has_it_now;
        a_thread_may_be_a_request_for_one_login_only;
        what_one_login_has_heard_is_no_news_from_another;
        direct_chats_of_two_logins_are_two_portals;
        a_login_uses_its_own_portals_and_those_of_its_threads;
        a_removed_portal_takes_its_messages_along;
        what_was_done_from_here_is_known_for_a_week;
        logins_come_and_go_in_threads;
        a_ghost_keeps_what_is_saved;
        the_message_map_is_asked_from_both_sides;
        the_first_mapping_of_a_part_stays;
        further_events_of_an_item_are_known_with_it;
    }
    history {
        pages_become_rows_before_all_others_and_oldest_first;
        rows_of_history_hold_nobody_up;
        a_login_that_was_removed_may_import_again;
    }
    accounts {
        a_login_keeps_what_is_saved;
        logins_are_listed_by_user;
        a_login_changes_its_state;
        a_removed_login_leaves_nothing;
        a_session_is_sealed_in_the_database;
        a_session_does_not_open_for_another_login;
        a_user_has_one_management_room;
    }
    writing {
        concurrent_writes_are_all_done;
        a_write_that_is_refused_fails_alone;
        a_caller_that_stops_waiting_changes_nothing;
        a_lane_sees_what_it_wrote;
        what_was_answered_survives_a_store_that_is_never_closed;
    }
    opening {
        a_database_can_be_opened_again;
        a_database_of_an_earlier_version_keeps_what_it_knows;
        a_second_bridge_is_refused;
        another_key_is_refused;
        a_newer_database_is_refused;
        a_closed_store_says_so;
    }
}

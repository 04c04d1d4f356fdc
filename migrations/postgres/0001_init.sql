-- Same tables and columns as migrations/sqlite/0001_init.sql; a test compares them.
-- Booleans are 0/1, times are milliseconds since 1970, JSON is TEXT.

-- The type in `CAST($1 AS jsontext)`, which makes JSON of a text parameter here and leaves it a text on SQLite. Both
-- have `json_each` for objects and `->>`, so one statement can carry many rows.
CREATE DOMAIN jsontext AS JSON;

-- Facts about this database itself, such as the value that shows whether the sealing key is the right one.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE login (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL,
    username   TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'logged_out', 'action_required')),
    reason     TEXT,
    created_at BIGINT NOT NULL
);

-- Sealed: see src/store/seal.rs.
CREATE TABLE login_session (
    login  TEXT NOT NULL PRIMARY KEY REFERENCES login (id) ON DELETE CASCADE,
    sealed BYTEA NOT NULL
);

CREATE TABLE login_cursor (
    login          TEXT    NOT NULL PRIMARY KEY REFERENCES login (id) ON DELETE CASCADE,
    seq_id         BIGINT NOT NULL,
    snapshot_at_ms BIGINT NOT NULL,
    newest_item_us BIGINT NOT NULL
);

CREATE TABLE login_thread (
    thread TEXT NOT NULL,
    login  TEXT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    PRIMARY KEY (thread, login)
);
CREATE INDEX login_thread_login ON login_thread (login);

CREATE TABLE management_room (
    user_id TEXT NOT NULL PRIMARY KEY,
    room    TEXT NOT NULL UNIQUE
);

CREATE TABLE ghost (
    id          TEXT    NOT NULL PRIMARY KEY,
    username    TEXT    NOT NULL,
    full_name   TEXT    NOT NULL,
    avatar_id   TEXT,
    avatar      TEXT,
    displayname TEXT    NOT NULL,
    fetched_at  BIGINT NOT NULL
);

CREATE TABLE portal (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thread    TEXT    NOT NULL,
    receiver  TEXT    NOT NULL, -- '' for a group shared by all logins in it
    room      TEXT    UNIQUE,
    name      TEXT,
    avatar_id TEXT,
    members   TEXT    NOT NULL, -- JSON array of ids
    UNIQUE (thread, receiver)
);
CREATE INDEX portal_receiver ON portal (receiver);

-- Matrix event <-> (Instagram item, part).
CREATE TABLE message (
    item           TEXT    NOT NULL,
    portal         BIGINT NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    part           BIGINT NOT NULL,
    event          TEXT    NOT NULL,
    sender         TEXT    NOT NULL,
    client_context TEXT,
    sent_at        BIGINT NOT NULL,
    PRIMARY KEY (item, portal, part)
);
CREATE INDEX message_event ON message (event);
CREATE INDEX message_portal ON message (portal, sent_at);
CREATE INDEX message_context ON message (client_context, portal) WHERE client_context IS NOT NULL;

-- Everything accepted. Pending rows wait for their lane; done rows stay a week as keys.
CREATE TABLE inbox (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of arrival
    lane        TEXT    NOT NULL,
    origin      TEXT    NOT NULL CHECK (origin IN ('matrix', 'instagram', 'reconciled')),
    dedup_key   TEXT    NOT NULL UNIQUE,
    payload     TEXT,                         -- as received, sealed, in base64; NULL once done
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    attempts    BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    retry_at    BIGINT,
    settled_at  BIGINT,                    -- when it became done or failed
    reason      TEXT                          -- why it was put back or failed
);
CREATE INDEX inbox_pending ON inbox (lane, id) WHERE state = 'pending';
CREATE INDEX inbox_failed ON inbox (reason) WHERE state = 'failed';

-- Requests that are about to be sent or may have been sent.
CREATE TABLE outbox (
    request_id   TEXT    NOT NULL PRIMARY KEY,
    inbox_id     BIGINT NOT NULL REFERENCES inbox (id),
    part         BIGINT NOT NULL,
    intended_at  BIGINT NOT NULL,
    confirmed_id TEXT -- event id or item id, once known
);
CREATE INDEX outbox_inbox ON outbox (inbox_id);

-- Transactions of the homeserver that were accepted.
CREATE TABLE homeserver_txn (
    id          TEXT    NOT NULL PRIMARY KEY,
    accepted_at BIGINT NOT NULL
);

-- Same tables and columns as migrations/postgres/0001_init.sql; a test compares them.
-- Booleans are 0/1, times are milliseconds since 1970, JSON is TEXT.

-- Facts about this database itself, such as the value that shows whether the sealing key is the right one.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE login (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL,
    username   TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('active', 'logged_out', 'action_required')),
    reason     TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- Sealed: see src/store/seal.rs.
CREATE TABLE login_session (
    login  TEXT NOT NULL PRIMARY KEY REFERENCES login (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE login_cursor (
    login          TEXT    NOT NULL PRIMARY KEY REFERENCES login (id) ON DELETE CASCADE,
    seq_id         INTEGER NOT NULL,
    snapshot_at_ms INTEGER NOT NULL,
    newest_item_us INTEGER NOT NULL
) STRICT;

CREATE TABLE login_thread (
    thread TEXT NOT NULL,
    login  TEXT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    PRIMARY KEY (thread, login)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_thread_login ON login_thread (login);

CREATE TABLE management_room (
    user_id TEXT NOT NULL PRIMARY KEY,
    room    TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE ghost (
    id          TEXT    NOT NULL PRIMARY KEY,
    username    TEXT    NOT NULL,
    full_name   TEXT    NOT NULL,
    avatar_id   TEXT,
    avatar      TEXT,
    displayname TEXT    NOT NULL,
    fetched_at  INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT: the id of a removed portal must not come back while a lane still holds it.
CREATE TABLE portal (
    id        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    thread    TEXT    NOT NULL,
    receiver  TEXT    NOT NULL, -- '' for a group shared by all logins in it
    room      TEXT    UNIQUE,
    name      TEXT,
    avatar_id TEXT,
    members   TEXT    NOT NULL, -- JSON array of ids
    UNIQUE (thread, receiver)
) STRICT;
CREATE INDEX portal_receiver ON portal (receiver);

-- Matrix event <-> (Instagram item, part).
CREATE TABLE message (
    item           TEXT    NOT NULL,
    portal         INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    part           INTEGER NOT NULL,
    event          TEXT    NOT NULL,
    sender         TEXT    NOT NULL,
    client_context TEXT,
    sent_at        INTEGER NOT NULL,
    PRIMARY KEY (item, portal, part)
) STRICT;
CREATE INDEX message_event ON message (event);
CREATE INDEX message_portal ON message (portal, sent_at);
CREATE INDEX message_context ON message (client_context, portal) WHERE client_context IS NOT NULL;

-- Everything accepted. Pending rows wait for their lane; done rows stay a week as keys.
CREATE TABLE inbox (
    id          INTEGER NOT NULL PRIMARY KEY, -- order of arrival; history comes before it, below zero
    lane        TEXT    NOT NULL,
    origin      TEXT    NOT NULL CHECK (origin IN ('matrix', 'instagram', 'reconciled', 'history')),
    dedup_key   TEXT    NOT NULL UNIQUE,
    payload     TEXT,                         -- as received, sealed, in base64; NULL once done
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    attempts    INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    retry_at    INTEGER,
    settled_at  INTEGER,                   -- when it became done or failed
    reason      TEXT                          -- why it was put back or failed
) STRICT;
CREATE INDEX inbox_pending ON inbox (lane, id) WHERE state = 'pending';
CREATE INDEX inbox_failed ON inbox (reason) WHERE state = 'failed';

-- Requests that are about to be sent or may have been sent.
CREATE TABLE outbox (
    request_id   TEXT    NOT NULL PRIMARY KEY,
    inbox_id     INTEGER NOT NULL REFERENCES inbox (id),
    part         INTEGER NOT NULL,
    intended_at  INTEGER NOT NULL,
    confirmed_id TEXT -- event id or item id, once known
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_inbox ON outbox (inbox_id);

-- Transactions of the homeserver that were accepted.
CREATE TABLE homeserver_txn (
    id          TEXT    NOT NULL PRIMARY KEY,
    accepted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

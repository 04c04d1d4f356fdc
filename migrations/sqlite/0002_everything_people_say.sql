-- Same tables and columns as migrations/postgres/0002_everything_people_say.sql; a test compares them.

-- Instagram's item type, as reactions must name it.
ALTER TABLE message ADD COLUMN kind TEXT;
-- Keyed hash of what was bridged: tells an edit from a repetition.
ALTER TABLE message ADD COLUMN digest TEXT;
-- Taken back, or about to be.
ALTER TABLE message ADD COLUMN unsent INTEGER NOT NULL DEFAULT 0;

-- When the event of something that disappears is to be redacted.
ALTER TABLE message ADD COLUMN redact_at INTEGER;
CREATE INDEX message_redact ON message (redact_at) WHERE redact_at IS NOT NULL;

-- One person's reaction to one item, and the event that shows it.
CREATE TABLE reaction (
    item   TEXT    NOT NULL,
    portal INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    sender TEXT    NOT NULL, -- Instagram user id
    event  TEXT    NOT NULL,
    emoji  TEXT    NOT NULL,
    PRIMARY KEY (item, portal, sender)
) STRICT;
CREATE INDEX reaction_event ON reaction (event);
CREATE INDEX reaction_portal ON reaction (portal);

-- What was done to items from here. When it comes back from Instagram it is no news; pruned after a week.
CREATE TABLE own_change (
    portal   INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    item     TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    context  TEXT    NOT NULL, -- client context, '' where the request has none
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (item, portal, what, context)
) STRICT, WITHOUT ROWID;
CREATE INDEX own_change_portal ON own_change (portal);
CREATE INDEX own_change_noted ON own_change (noted_at);

-- How far somebody has read, on either side; only grows.
CREATE TABLE read_position (
    portal  INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    user_id TEXT    NOT NULL, -- Instagram user id
    read_at INTEGER NOT NULL, -- time of the last message read
    PRIMARY KEY (portal, user_id)
) STRICT, WITHOUT ROWID;

-- The login that speaks for Matrix users who have none.
ALTER TABLE portal ADD COLUMN relay TEXT;
-- What members are called in this chat: JSON object, ids to names.
ALTER TABLE portal ADD COLUMN nicknames TEXT NOT NULL DEFAULT '{}';
-- A message request waits for its answer, or was answered with no.
ALTER TABLE portal ADD COLUMN standing TEXT NOT NULL DEFAULT 'open'
    CHECK (standing IN ('open', 'request', 'declined'));

-- History that is being fetched. Pages come newest first; when all are here they become rows of the inbox, oldest first.
CREATE TABLE history (
    thread  TEXT    NOT NULL,
    login   TEXT    NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    kind    TEXT    NOT NULL CHECK (kind IN ('first', 'more')),
    wanted  INTEGER NOT NULL, -- items
    fetched INTEGER NOT NULL, -- items
    cursor  TEXT,             -- where the next page begins; NULL for the newest
    PRIMARY KEY (thread, login)
) STRICT, WITHOUT ROWID;
CREATE INDEX history_login ON history (login);

CREATE TABLE history_item (
    thread    TEXT    NOT NULL,
    login     TEXT    NOT NULL,
    position  INTEGER NOT NULL, -- 0 is the newest
    dedup_key TEXT    NOT NULL,
    payload   TEXT    NOT NULL, -- sealed, in base64
    PRIMARY KEY (thread, login, position),
    FOREIGN KEY (thread, login) REFERENCES history (thread, login) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Same tables and columns as migrations/postgres/0004_revisions.sql; a test compares them.

-- What the event shows: the item's words, a file, or a line in the place of something that cannot be shown.
ALTER TABLE message ADD COLUMN shows TEXT NOT NULL DEFAULT 'words'
    CHECK (shows IN ('words', 'file', 'stand_in'));
UPDATE message SET shows = CASE WHEN kind IN ('placeholder', 'expired_placeholder') THEN 'stand_in' ELSE 'file' END
WHERE kind IS NOT NULL
  AND kind NOT IN ('text', 'like', 'link', 'profile', 'xma_profile', 'location', 'hashtag', 'video_call_event', 'action_log');

-- Further events of an item: edits, corrections, and what another event has taken the place of.
CREATE TABLE revision (
    event  TEXT    NOT NULL PRIMARY KEY,
    portal INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    item   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revision_item ON revision (item, portal);
CREATE INDEX revision_portal ON revision (portal);

-- Same tables and columns as migrations/postgres/0005_shared_rooms.sql; a test compares them.

-- Message requests that wait for the answer of a login, or were declined. Other chats have no row. Whoever was declined
-- stays away, even if the login ends and begins anew.
CREATE TABLE request (
    thread   TEXT NOT NULL,
    login    TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('request', 'declined')),
    PRIMARY KEY (thread, login)
) STRICT, WITHOUT ROWID;

-- So far this belonged to the portal. A group's was everybody's: of those in it, or of all where nobody is known to be.
INSERT INTO request (thread, login, standing)
SELECT thread, receiver, standing FROM portal WHERE receiver <> '' AND standing <> 'open';
INSERT INTO request (thread, login, standing)
SELECT portal.thread, login.id, portal.standing FROM portal CROSS JOIN login
WHERE portal.receiver = '' AND portal.standing <> 'open'
  AND (EXISTS (SELECT 1 FROM login_thread WHERE login_thread.thread = portal.thread AND login_thread.login = login.id)
    OR NOT EXISTS (SELECT 1 FROM login_thread WHERE login_thread.thread = portal.thread));
ALTER TABLE portal DROP COLUMN standing;

-- What happened in rooms that several logins may share, besides messages, in order. Pruned after a week.
CREATE TABLE happening (
    portal   INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    what     TEXT NOT NULL, -- keyed hash
    login    TEXT NOT NULL, -- who brought it
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (portal, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX happening_noted ON happening (noted_at);

-- How far each login has heard of it: some hear late.
CREATE TABLE happening_heard (
    portal   INTEGER NOT NULL REFERENCES portal (id) ON DELETE CASCADE,
    login    TEXT NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    PRIMARY KEY (portal, login)
) STRICT, WITHOUT ROWID;
CREATE INDEX happening_heard_login ON happening_heard (login);

-- Few chats have nicknames, and those are asked for with each new profile picture.
CREATE INDEX portal_nicknamed ON portal (id) WHERE nicknames <> '{}';

-- Same tables and columns as migrations/postgres/0006_gaps.sql; a test compares them.

-- Something came that could not be read, and was not asked for yet: the newest item before it, in microseconds.
ALTER TABLE login_cursor ADD COLUMN gap_since_us INTEGER;

-- What is newer than this, in microseconds, is heard and is no history. NULL: there is no such limit.
ALTER TABLE history ADD COLUMN until_us INTEGER;

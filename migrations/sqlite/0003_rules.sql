-- Same tables and columns as migrations/postgres/0003_rules.sql; a test compares them.

-- What the room was told of the chat's rules: words, separated by spaces.
ALTER TABLE portal ADD COLUMN rules TEXT NOT NULL DEFAULT '';

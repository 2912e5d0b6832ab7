-- What the API needs: who may call, what callers changed, what they wrote, and lists in the order of time.

ALTER TABLE daemon_state ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;

-- The acknowledgement and the silence that hold, or held when the group was resolved.
ALTER TABLE alert_groups ADD COLUMN acknowledged_at INTEGER;
ALTER TABLE alert_groups ADD COLUMN acknowledged_by TEXT NOT NULL DEFAULT '';
ALTER TABLE alert_groups ADD COLUMN silenced_at INTEGER;
UPDATE alert_groups SET acknowledged_at = state_since, acknowledged_by = state_actor WHERE state = 2;
UPDATE alert_groups SET silenced_at = state_since WHERE state = 3;

-- Lists are in the order of creation by the clock, ids only part what was created in the same microsecond.
DROP INDEX alert_groups_by_state;
DROP INDEX alert_groups_by_integration;
CREATE INDEX alert_groups_by_state ON alert_groups (state, created_at);
CREATE INDEX alert_groups_by_integration ON alert_groups (integration_id, state, created_at);

-- The same table without a reference to alert_groups: the last event of a group that somebody deleted outlives it.
-- previous: the state before the event, 0 where there was none or where it was not kept yet.
CREATE TABLE new_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    state INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    fingerprints TEXT NOT NULL
) STRICT;
INSERT INTO new_events SELECT id, group_id, at, kind, 0, state, actor, reason, note, fingerprints FROM events;
-- A revision is never given twice, though the events that bore the last ones may be gone.
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_events', 0
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'new_events');
UPDATE sqlite_sequence SET seq = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
WHERE name = 'new_events';
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;
CREATE INDEX events_by_group ON events (group_id, id);
-- What is left of groups that somebody deleted (kind 15), for when it is removed as well; no other event touches it.
CREATE INDEX events_of_deletion ON events (at) WHERE kind = 15;

CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES alert_groups (id),
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX notes_by_group ON notes (group_id, id);

-- secret_hash: SHA-256 of a secret of 256 random bits.
CREATE TABLE api_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL UNIQUE,
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    creator TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used INTEGER
) STRICT;

-- before, after: the fields that changed, as JSON objects.
CREATE TABLE audit_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    api_token TEXT NOT NULL,
    method TEXT NOT NULL,
    resource TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    trace_id TEXT NOT NULL
) STRICT;

CREATE INDEX audit_entries_by_resource ON audit_entries (resource, id);
CREATE INDEX audit_entries_by_actor ON audit_entries (actor, id);
CREATE INDEX audit_entries_by_time ON audit_entries (at);

-- Requests that were answered, so that a repeat gets the same answer. key: SHA-256 of who asked and of the request id.
-- response: compressed with zlib.
CREATE TABLE requests (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    digest BLOB NOT NULL,
    response BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX requests_by_time ON requests (at);

-- Payloads refer to their groups by what a trigger can look up by id. The foreign key on the computed column could not:
-- for every group that was removed SQLite looked through all payloads (measured at 100,000 groups: 28 ms for each, so
-- 2.8 s for a step of retention, in which nothing else is written). Such an edit of the schema is the way that
-- https://www.sqlite.org/lang_altertable.html (section 7) gives for removing a foreign key; nothing is copied.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' REFERENCES alert_groups (id)', '')
WHERE type = 'table' AND name = 'payloads';
PRAGMA writable_schema = RESET;
CREATE TRIGGER payloads_have_groups BEFORE INSERT ON payloads
WHEN NOT EXISTS (SELECT 1 FROM alert_groups WHERE id = new.id / 2)
BEGIN SELECT raise(ABORT, 'FOREIGN KEY constraint failed: payloads'); END;
CREATE TRIGGER groups_keep_payloads BEFORE DELETE ON alert_groups
WHEN EXISTS (SELECT 1 FROM payloads WHERE id BETWEEN 2 * old.id AND 2 * old.id + 1)
BEGIN SELECT raise(ABORT, 'FOREIGN KEY constraint failed: payloads'); END;

-- Integrations, alert groups and heartbeats.
-- Times are microseconds since 1970, UTC. Enumerations have the numbers of the .proto files.

-- The one row of what the daemon knows about itself. intake_clock: domain/intake_clock.py, as last written.
CREATE TABLE daemon_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    intake_clock INTEGER NOT NULL,
    alive_at INTEGER NOT NULL
) STRICT;

CREATE TABLE integrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    token TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    reopen_window INTEGER NOT NULL CHECK (reopen_window >= 0),
    stale_after INTEGER NOT NULL CHECK (stale_after >= 0),
    retention INTEGER NOT NULL CHECK (retention > 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE UNIQUE INDEX integrations_by_name ON integrations (display_name) WHERE deleted_at IS NULL;

CREATE TABLE heartbeats (
    integration_id INTEGER PRIMARY KEY REFERENCES integrations (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    interval INTEGER NOT NULL CHECK (interval > 0),
    last_beat INTEGER,
    deadline INTEGER,
    state_since INTEGER NOT NULL
) STRICT;

-- standing: 9223372036854775807 while the group is open, its own id once it is resolved. So the database itself
-- guarantees at most one open group for an identity, and the group that matters for an identity (the open one, else
-- the last) is always the one with the greatest standing.
-- Nothing that changes with every notification is indexed: such an index costs more than half of the write rate.
CREATE TABLE alert_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    source INTEGER NOT NULL CHECK (source BETWEEN 1 AND 3),
    identity BLOB NOT NULL CHECK (length(identity) = 32),
    standing INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4),
    state_since INTEGER NOT NULL,
    state_event INTEGER NOT NULL,
    state_actor TEXT NOT NULL,
    silence_until INTEGER,
    resolve_reason INTEGER,
    source_firing INTEGER NOT NULL,
    digest BLOB NOT NULL,
    firing_count INTEGER NOT NULL,
    resolved_count INTEGER NOT NULL,
    unreported_count INTEGER NOT NULL,
    notifications INTEGER NOT NULL,
    last_received INTEGER NOT NULL,
    heard INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    grouping_key TEXT NOT NULL,
    title TEXT NOT NULL,
    labels TEXT NOT NULL,
    receiver TEXT NOT NULL,
    external_url TEXT NOT NULL,
    truncated INTEGER NOT NULL,
    CHECK ((state = 4) = (resolve_reason IS NOT NULL)),
    CHECK (standing = CASE state WHEN 4 THEN id ELSE 9223372036854775807 END)
) STRICT;

CREATE UNIQUE INDEX alert_groups_by_identity ON alert_groups (identity, standing);
CREATE INDEX alert_groups_by_state ON alert_groups (state, id);
CREATE INDEX alert_groups_by_integration ON alert_groups (integration_id, state, id);
-- What retention removes first; only a resolution touches it.
CREATE INDEX alert_groups_resolved ON alert_groups (integration_id, state_since) WHERE state = 4;

-- A table with a rowid and an index, not WITHOUT ROWID: rows that come in order are appended without splitting pages,
-- which halves what a commit of new groups writes here (measured: 34 pages a commit of 8 become 27).
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES alert_groups (id),
    fingerprint TEXT NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    fired INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    generator_url TEXT NOT NULL,
    UNIQUE (group_id, fingerprint)
) STRICT;

-- The id is the revision: the order of everything that happened to any group.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL REFERENCES alert_groups (id),
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    fingerprints TEXT NOT NULL
) STRICT;

CREATE INDEX events_by_group ON events (group_id, id);

-- The bodies as they came, compressed with zlib. The first of a group has the id 2 * group_id; the latest, if it said
-- something else, 2 * group_id + 1: an id, so that rows are appended like those of alerts, and found without an index.
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL GENERATED ALWAYS AS (id / 2) VIRTUAL REFERENCES alert_groups (id),
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

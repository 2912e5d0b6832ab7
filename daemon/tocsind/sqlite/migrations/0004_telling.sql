-- Telling people: escalation chains, contact points, the outbox, calendars.

-- settings: what is particular to the kind (1 webhook, 2 apprise, 3 on call) as a JSON object, secrets included: the
-- file is readable to nobody else. target: where it leads, masked. bundle_window in microseconds. A contact point that
-- is deleted leaves its name, for timelines; its settings are emptied.
CREATE TABLE contact_points (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    aliases TEXT NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    settings TEXT NOT NULL,
    target TEXT NOT NULL,
    title_template TEXT NOT NULL,
    body_template TEXT NOT NULL,
    bundle_window INTEGER NOT NULL CHECK (bundle_window >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE UNIQUE INDEX contact_points_by_name ON contact_points (display_name) WHERE deleted_at IS NULL;

-- A chain as it was at some time; groups refer to it, so it is never changed. chain: the public id, empty for what is
-- sent to one contact point only. steps: sqlite/escalation_chains.py.
CREATE TABLE chain_versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chain TEXT NOT NULL,
    display_name TEXT NOT NULL,
    steps TEXT NOT NULL
) STRICT;

CREATE TABLE escalation_chains (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    version_id INTEGER NOT NULL REFERENCES chain_versions (id),
    is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX escalation_chains_default ON escalation_chains (is_default) WHERE is_default = 1;

-- chain_id: NULL for the chain that is the default. Those of the default route stand with its integration.
ALTER TABLE routes ADD COLUMN chain_id INTEGER REFERENCES escalation_chains (id);
ALTER TABLE routes ADD COLUMN notify_on_resolve INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN chain_id INTEGER REFERENCES escalation_chains (id);
ALTER TABLE integrations ADD COLUMN notify_on_resolve INTEGER NOT NULL DEFAULT 0;

-- The escalations that run: a row goes when its chain is done, or stops. state: 1 waiting, 2 paused. step: the index of
-- the next. repeats: how often each repeat was done, as a JSON object by the index of the step. due_at: a time of day,
-- decided at set_at; NULL while paused.
CREATE TABLE escalations (
    group_id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES chain_versions (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 2),
    step INTEGER NOT NULL CHECK (step >= 0),
    repeats TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    due_at INTEGER,
    CHECK ((state = 1) = (due_at IS NOT NULL))
) STRICT;

-- Groups whose chain is not the one that their route names: demo alerts that were sent to one contact point.
CREATE TABLE chosen_versions (
    group_id INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL REFERENCES chain_versions (id)
) STRICT;

-- The outbox. kind: 1 firing, 2 resolved. state: 1 pending, 2 sending, 3 delivered, 4 dead, 5 cancelled. due_at: when it
-- is to be sent, a time of day decided at set_at. via_id: the contact point by whose calendar contact_id is on call.
-- step: from 1, 0 for what is not of a step.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    contact_id INTEGER NOT NULL REFERENCES contact_points (id),
    via_id INTEGER REFERENCES contact_points (id),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
    step INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE INDEX messages_by_group ON messages (group_id, id);
-- What is to be sent, and what was given up: few of many.
CREATE INDEX messages_open ON messages (id) WHERE state <= 2;
CREATE INDEX messages_dead ON messages (id) WHERE state = 4;

-- When an alert last began to fire, by our clock; 0 where that was before it was kept.
ALTER TABLE alerts ADD COLUMN fired_at INTEGER NOT NULL DEFAULT 0;

-- The calendars of contact points. role: 1 schedule, 2 overrides. read_at: when the copy was read, or was last seen to be
-- what its source still says; checked_at: when that was last tried; error: why it failed then. expanded_until: up to when
-- shifts are known. text: the last good copy; at the end, as it may be long and what stands before is read far more often.
CREATE TABLE calendars (
    contact_id INTEGER NOT NULL REFERENCES contact_points (id),
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 2),
    read_at INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    expanded_until INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (contact_id, role)
) STRICT;

-- people: a JSON list of names.
CREATE TABLE shifts (
    id INTEGER PRIMARY KEY,
    contact_id INTEGER NOT NULL REFERENCES contact_points (id),
    role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 2),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    people TEXT NOT NULL,
    CHECK (ends_at > starts_at)
) STRICT;

-- Both ends: whoever asks for a moment passes over the shifts of the next weeks without reading their rows.
CREATE INDEX shifts_in_time ON shifts (contact_id, role, ends_at, starts_at);

-- Whom calendars may name: all that is looked at when somebody on call is to be told.
CREATE INDEX contact_points_by_call ON contact_points (kind, display_name, aliases, deleted_at) WHERE deleted_at IS NULL;

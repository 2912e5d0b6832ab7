-- Completing an integration: templates, routes, maintenance, limits.

-- templates: a JSON object, by slot (domain/template.py); what is not in it has its default.
-- rate_limit: notifications in 5 minutes; NULL: the daemon's, 0: none.
ALTER TABLE integrations ADD COLUMN templates TEXT NOT NULL DEFAULT '{}';
ALTER TABLE integrations ADD COLUMN rate_limit INTEGER CHECK (rate_limit >= 0);

-- The default route has no row: it is what is left when no other matches. Positions count from 0 without gaps.
-- kind: 1 Alertmanager's matchers, 2 Jinja2. Numbers are never used twice, so that no group gets under a later route.
CREATE TABLE routes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    integration_id INTEGER NOT NULL REFERENCES integrations (id),
    public_id TEXT NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
    condition TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (integration_id, public_id)
) STRICT;

CREATE INDEX routes_in_order ON routes (integration_id, position);

-- The maintenance that runs or is planned. mode: 1 debug, 2 maintenance. group_id: the group that collects, once it runs.
-- changed_at: when somebody last asked for it.
CREATE TABLE maintenances (
    integration_id INTEGER PRIMARY KEY REFERENCES integrations (id),
    mode INTEGER NOT NULL CHECK (mode BETWEEN 1 AND 2),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    running INTEGER NOT NULL,
    group_id INTEGER,
    actor TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK (ends_at > starts_at)
) STRICT;

-- Groups that collected for a maintenance that ended, as long as not all that they collected is released.
CREATE TABLE releases (group_id INTEGER PRIMARY KEY) STRICT;

-- route_id: 0 for the default route; a number that is no longer there means that as well.
-- collected_by: the group that collects it while its integration is under maintenance.
ALTER TABLE alert_groups ADD COLUMN route_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alert_groups ADD COLUMN message TEXT NOT NULL DEFAULT '';
ALTER TABLE alert_groups ADD COLUMN source_link TEXT NOT NULL DEFAULT '';
ALTER TABLE alert_groups ADD COLUMN collected_by INTEGER;
ALTER TABLE alert_groups ADD COLUMN debug INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alert_groups_collected ON alert_groups (collected_by, state) WHERE collected_by IS NOT NULL;

-- Demo alerts are a source of their own. A check cannot be altered otherwise without copying the table, see 0002.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'source BETWEEN 1 AND 3', 'source BETWEEN 1 AND 4')
WHERE type = 'table' AND name = 'alert_groups';
PRAGMA writable_schema = RESET;

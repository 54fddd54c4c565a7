-- Machines that join: whose key each one has, and who invited it.

-- The cluster's own key, for life: nodes know the cluster by it.
create table cluster (
    singleton bigint primary key check (singleton = 1),
    public_key text not null,
    key_sealed text not null,
    created_at bigint not null
);

alter table nodes add column state text not null default 'active'
    check (state in ('joining', 'active', 'draining', 'removed'));
-- Absent for the server's own machine, which it reaches in other ways.
alter table nodes add column public_key text;
-- JSON: {"region":"eu"}
alter table nodes add column labels text not null default '{}';
alter table nodes add column owner_id text references users (id) on delete set null;
-- Who may put projects on it: its owner and admins, those granted too, or everybody.
alter table nodes add column access text not null default 'everybody'
    check (access in ('owner', 'granted', 'everybody'));
alter table nodes add column last_seen_at bigint;
create unique index nodes_key on nodes (public_key) where state <> 'removed';
create unique index nodes_name on nodes (name) where state <> 'removed';

create table node_grants (
    node_id text not null references nodes (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    primary key (node_id, user_id)
);

create table join_tokens (
    id text primary key,
    secret_sealed text not null,
    -- What the machine will be, unless it says otherwise.
    name text,
    labels text not null default '{}',
    created_by text not null references users (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    -- Whoever took it; nobody else may.
    used_at bigint,
    used_by_key text,
    node_id text references nodes (id)
);

-- What people did to machines and tokens. Each entry's hash covers the one before it.
create table audit_events (
    position bigint primary key,
    at bigint not null,
    actor text not null,
    action text not null,
    subject text not null,
    detail text not null,
    hash text not null
);
insert into counters (name, value) values ('audit', 0);

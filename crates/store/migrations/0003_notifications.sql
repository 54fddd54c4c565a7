-- Where people are told of what happens, and what they were told.

create table notification_channels (
    id text primary key,
    name text not null unique,
    kind text not null check (kind in ('webhook', 'email', 'slack')),
    settings_sealed text not null,
    -- Words between spaces.
    events text not null,
    project_ids text not null,
    enabled bigint not null check (enabled in (0, 1)),
    disabled_reason text,
    created_at bigint not null,
    updated_at bigint not null
);

-- An outbox: a row is inserted in the transaction of the fact it tells.
create table notification_deliveries (
    id text primary key,
    channel_id text not null references notification_channels (id) on delete cascade,
    fact text not null,
    event text not null,
    project_id text,
    deployment_id text,
    subject text not null,
    payload text not null,
    state text not null check (state in ('pending', 'delivered', 'failed', 'abandoned')),
    attempts bigint not null default 0,
    next_attempt_at bigint,
    last_error text,
    last_status bigint,
    created_at bigint not null,
    finished_at bigint,
    -- No channel is told a fact twice.
    unique (channel_id, fact)
);
create index notification_deliveries_channel on notification_deliveries (channel_id, id);
create index notification_deliveries_due on notification_deliveries (channel_id, next_attempt_at) where state = 'pending';

-- Since when people know that the node's disk is nearly full.
alter table nodes add column disk_noticed_at bigint;

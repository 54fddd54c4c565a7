-- What a project's processes may use, and a release's copy of it: JSON.
alter table projects add column runtime text not null default '{}';
alter table releases add column runtime text not null default '{}';
-- A pinned release is never forgotten.
alter table releases add column pinned bigint not null default 0 check (pinned in (0, 1));

-- Commands run once, to their end.
create table runs (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    release_id text references releases (id) on delete set null,
    deployment_id text not null,
    kind text not null check (kind in ('release', 'schedule', 'once', 'exec')),
    name text not null,
    command text not null,
    state text not null check (state in ('running', 'succeeded', 'failed', 'cancelled', 'lost', 'skipped')),
    timeout_seconds bigint not null,
    scheduled_for bigint,
    exit_code bigint,
    failure_code text,
    reason text,
    last_lines text,
    created_by text,
    created_at bigint not null,
    finished_at bigint
);
create index runs_project on runs (project_id, created_at);
create index runs_running on runs (state) where state = 'running';
-- Nothing is run twice.
create unique index runs_one_release_command on runs (deployment_id) where kind = 'release';
create unique index runs_one_per_time on runs (project_id, name, scheduled_for) where kind = 'schedule';

-- Schedules that the owner set, beside those of the live release's Procfile.
create table schedules (
    project_id text not null references projects (id) on delete cascade,
    name text not null,
    schedule text not null,
    command text not null,
    enabled bigint not null check (enabled in (0, 1)),
    timeout_seconds bigint not null,
    updated_at bigint not null,
    primary key (project_id, name)
);

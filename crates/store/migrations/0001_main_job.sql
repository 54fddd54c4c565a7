-- One text for SQLite and PostgreSQL: text and bigint only, times in milliseconds, states as checked text.

create table counters (
    name text primary key,
    value bigint not null
);
insert into counters (name, value) values ('epoch', 0), ('events', 0);

create table users (
    id text primary key,
    username text not null unique,
    password_hash text not null,
    role text not null check (role in ('superadmin', 'admin', 'user')),
    created_at bigint not null
);

-- Its one row is taken by whoever completes the first-run setup.
create table setup (
    singleton bigint primary key check (singleton = 1),
    user_id text not null references users (id)
);

create table sessions (
    id text primary key,
    token_hash text not null unique,
    user_id text not null references users (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null
);
create index sessions_expiry on sessions (expires_at);

create table api_tokens (
    id text primary key,
    token_hash text not null unique,
    user_id text not null references users (id) on delete cascade,
    name text not null,
    scopes text not null,
    created_at bigint not null,
    last_used_at bigint,
    expires_at bigint
);

create table login_failures (
    subject text primary key,
    failures bigint not null,
    locked_until bigint not null,
    updated_at bigint not null
);

create table nodes (
    id text primary key,
    name text not null,
    embedded bigint not null check (embedded in (0, 1)),
    created_at bigint not null
);

create table projects (
    id text primary key,
    name text not null unique,
    slug text not null unique,
    node_id text not null references nodes (id),
    source text not null check (source in ('git', 'upload')),
    repo_url text,
    branch text,
    root_directory text,
    install_command text,
    build_command text,
    run_command text,
    output_directory text,
    health_path text,
    port bigint not null unique check (port between 3100 and 65535),
    upload_id text,
    deployments_count bigint not null default 0,
    deleting bigint not null default 0 check (deleting in (0, 1)),
    created_by text not null references users (id),
    created_at bigint not null,
    updated_at bigint not null
);

create table env_vars (
    project_id text not null references projects (id) on delete cascade,
    key text not null,
    value_sealed text not null,
    primary key (project_id, key)
);

create table releases (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    deployment_id text not null unique,
    process text not null,
    env_sealed text not null,
    created_at bigint not null
);
create index releases_project on releases (project_id, created_at);

create table deployments (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    number bigint not null,
    state text not null check (state in
        ('queued', 'building', 'starting', 'live', 'retired', 'failed', 'cancelled', 'superseded')),
    trigger_kind text not null check (trigger_kind in ('create', 'manual', 'upload', 'rollback')),
    step text,
    branch text,
    wanted_commit text,
    commit_sha text,
    commit_message text,
    commit_author text,
    plan text,
    -- The environment it is built and run with, taken when its turn came.
    env_sealed text,
    release_id text references releases (id) on delete set null,
    upload_id text,
    failure_code text,
    reason text,
    last_lines text,
    created_by text,
    created_at bigint not null,
    started_at bigint,
    finished_at bigint,
    unique (project_id, number)
);
create unique index deployments_one_active on deployments (project_id) where state in ('building', 'starting');
create unique index deployments_one_live on deployments (project_id) where state = 'live';
create index deployments_unsettled on deployments (state) where state in ('queued', 'building', 'starting', 'live');

-- The outbox. Positions come from a counter row, so a reader never misses one that commits late.
create table events (
    position bigint primary key,
    kind text not null,
    project_id text,
    deployment_id text,
    created_at bigint not null
);

-- Checkouts of projects on machines, where one person works.
create table workspaces (
    id text primary key,
    project_id text not null references projects (id),
    owner_id text not null references users (id),
    node_id text not null references nodes (id),
    name text not null,
    -- Branch or tag that is there, and one to begin there.
    branch text,
    new_branch text,
    state text not null
        check (state in ('creating', 'running', 'recovery', 'stopping', 'stopped', 'error', 'deleting')),
    -- When it entered that state: what timeouts are measured from.
    state_since bigint not null,
    -- Counts its starts, and how often its files were made anew.
    attempt bigint not null default 1,
    generation bigint not null default 1,
    -- Of the present or last start: JSON.
    steps text not null default '[]',
    failure_code text,
    reason text,
    last_lines text,
    memory_mb bigint not null,
    idle_timeout_seconds bigint not null default 0 check (idle_timeout_seconds between 0 and 86400),
    created_at bigint not null,
    updated_at bigint not null
);
create index workspaces_owner on workspaces (owner_id);
create index workspaces_node on workspaces (node_id);
create index workspaces_project on workspaces (project_id);

-- How people work in their workspaces.
create table work_settings (
    user_id text primary key references users (id) on delete cascade,
    git_name text,
    git_email text,
    dotfiles_url text
);

-- Whom an event concerns; everybody where it is nobody.
alter table events add column workspace_id text;
alter table events add column owner_id text;

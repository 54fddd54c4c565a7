-- Files that a project's processes find beside its variables.
create table runtime_files (
    project_id text not null references projects (id) on delete cascade,
    path text not null,
    content_sealed text not null,
    is_secret bigint not null check (is_secret in (0, 1)),
    updated_at bigint not null,
    primary key (project_id, path)
);

-- The value of a secret is never shown. What was set before today is one.
alter table env_vars add column is_secret bigint not null default 1 check (is_secret in (0, 1));
alter table env_vars add column updated_at bigint not null default 0;
update env_vars set updated_at = (select projects.updated_at from projects where projects.id = env_vars.project_id);

-- What people fetch and push with in their workspaces, by host.
create table git_credentials (
    user_id text not null references users (id) on delete cascade,
    host text not null,
    username text not null,
    token_sealed text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (user_id, host)
);

-- Links by which others may watch a terminal.
create table terminal_links (
    id text not null primary key,
    workspace_id text not null references workspaces (id) on delete cascade,
    terminal_id text not null,
    -- SHA-256 of the link's secret.
    digest text not null unique,
    created_at bigint not null,
    expires_at bigint not null
);
create index terminal_links_by_terminal on terminal_links (workspace_id, terminal_id);

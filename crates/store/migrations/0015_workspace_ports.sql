-- Who besides its owner may reach what listens on a port of a workspace.
create table workspace_ports (
    workspace_id text not null references workspaces (id) on delete cascade,
    port bigint not null check (port between 1 and 65535),
    access text not null check (access in ('private', 'link', 'team', 'public')),
    -- SHA-256 of the link's secret.
    link_digest text,
    updated_at bigint not null,
    primary key (workspace_id, port)
);

-- Where workspaces have no host names: at which port of the server something of theirs is found. To browsers host and port are one
-- place, with what they keep for it: so it stays with one person, also when it is free, and without the account.
create table own_ports (
    number bigint primary key check (number between 1 and 65535),
    owner_id text not null,
    workspace_id text references workspaces (id) on delete set null,
    port bigint not null check (port between 1 and 65535),
    asked_at bigint not null
);
create unique index own_ports_port on own_ports (workspace_id, port);
create index own_ports_owner on own_ports (owner_id);

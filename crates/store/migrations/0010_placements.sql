-- On which machines a project runs, and how it may move between them.

alter table projects add column replicas bigint not null default 1 check (replicas between 1 and 100);
-- JSON: only nodes with these labels.
alter table projects add column node_labels text not null default '{}';
-- Whether it moves when its node is lost for long.
alter table projects add column reschedule bigint not null default 0 check (reschedule in (0, 1));

-- `wanted`: it runs there. `leaving`: it runs there until it does elsewhere. `emptying`: visitors are sent there no
-- more. `removing`: its files go.
create table placements (
    project_id text not null references projects (id) on delete cascade,
    node_id text not null references nodes (id),
    state text not null check (state in ('wanted', 'leaving', 'emptying', 'removing')),
    created_at bigint not null,
    primary key (project_id, node_id)
);
insert into placements (project_id, node_id, state, created_at)
    select id, node_id, 'wanted', created_at from projects;

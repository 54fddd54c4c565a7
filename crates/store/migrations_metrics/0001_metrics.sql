-- Whose samples they are: a machine's own where project and process are empty, what a project's processes on it
-- share where only the process is.
create table series (
    id bigint primary key,
    node_id text not null,
    project_id text not null,
    process text not null,
    unique (node_id, project_id, process)
);
create index series_project on series (project_id);

-- Means over `seconds` from `begins_at` (ms) on, of as many samples as `weight` says, and the most of what comes in bursts.
-- Percents and loads are hundredths; the rest are bytes, and bytes a second.
create table node_samples (
    series_id bigint not null,
    seconds bigint not null check (seconds in (10, 60, 600)),
    begins_at bigint not null,
    weight bigint not null,
    cpu_mean bigint not null,
    cpu_max bigint not null,
    cores bigint not null,
    load bigint not null,
    memory_used bigint not null,
    memory_total bigint not null,
    swap_used bigint not null,
    swap_total bigint not null,
    disk_used bigint not null,
    disk_total bigint not null,
    rx_mean bigint not null,
    rx_max bigint not null,
    tx_mean bigint not null,
    tx_max bigint not null,
    primary key (series_id, seconds, begins_at)
);
create index node_samples_at on node_samples (seconds, begins_at);

create table process_samples (
    series_id bigint not null,
    seconds bigint not null check (seconds in (10, 60, 600)),
    begins_at bigint not null,
    weight bigint not null,
    cpu_mean bigint not null,
    cpu_max bigint not null,
    memory_mean bigint not null,
    memory_max bigint not null,
    disk bigint not null,
    rx_mean bigint not null,
    rx_max bigint not null,
    tx_mean bigint not null,
    tx_max bigint not null,
    primary key (series_id, seconds, begins_at)
);
create index process_samples_at on process_samples (seconds, begins_at);

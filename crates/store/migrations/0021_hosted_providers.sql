-- Companies that serve models, as further places where completions are sent.
create table mesh_hosted_providers (
    id text primary key,
    name text not null unique,
    kind text not null,
    base_url text not null,
    api_key_sealed text not null,
    -- What is offered of it, as JSON.
    models text not null,
    enabled bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

-- `mesh_completions.provider_id` is empty from here on where the coordinator asked for models itself: then it earns.

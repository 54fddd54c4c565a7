-- Keys of the tokens that others verify. One signs; the others are published until their last token has run out.
create table signing_keys (
    id text primary key,
    -- Base64url, as in a JWK.
    modulus text not null,
    exponent text not null,
    -- The private half; absent where it is in the configuration.
    key_sealed text,
    active bigint not null check (active in (0, 1)),
    created_at bigint not null,
    -- When another took its place.
    retired_at bigint
);
create unique index signing_keys_active on signing_keys (active) where active = 1;

-- What happened in a project, for people.
create table activity (
    -- In the order of their commits, without a gap.
    position bigint primary key,
    project_id text not null references projects (id) on delete cascade,
    kind text not null,
    -- User name of who did it; absent where nobody did.
    actor text,
    -- Whom it concerns; everybody where it is nobody.
    owner_id text,
    workspace_id text,
    deployment_id text,
    -- More about it: JSON.
    payload text not null default '{}',
    created_at bigint not null
);
create index activity_project on activity (project_id, position);
create index activity_age on activity (created_at);
insert into counters (name, value) values ('activity', 0);

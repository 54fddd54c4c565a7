-- What an API token may ask models at most, as JSON; everything where there is nothing.
alter table api_tokens add column model_limits text;

-- By which token a completion was asked for.
alter table mesh_completions add column token_id text;

-- What the completions of a token have taken by now, with what is set aside for those under way. In microcredits.
create table mesh_token_spending (
    token_id text primary key,
    spent bigint not null check (spent >= 0)
);

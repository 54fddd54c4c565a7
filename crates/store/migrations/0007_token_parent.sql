-- The token that made a token; what it made goes with it.
alter table api_tokens add column parent_id text references api_tokens (id) on delete cascade;
create index api_tokens_parent on api_tokens (parent_id);

-- Patterns of the repository's paths whose changes concern a project: a JSON list.
alter table projects add column watch_paths text not null default '[]';
-- Which change a deployment is for, when it was asked for only if there is one.
alter table deployments add column because text;

-- A project may be an image of a registry. The list of sources is part of the column's own check, which cannot be changed in place.
alter table projects add column source_kind text not null default 'upload' check (source_kind in ('git', 'upload', 'image'));
update projects set source_kind = source;
alter table projects drop column source;
alter table projects rename column source_kind to source;
alter table projects add column image text;
-- Who asks the registry for it; the password is sealed.
alter table projects add column registry_username text;
alter table projects add column registry_password_sealed text;
-- What makes a release of its files.
alter table projects add column builder text not null default 'auto' check (builder in ('auto', 'native', 'dockerfile'));
alter table projects add column dockerfile_path text;

-- The signal that ended a run, where one did.
alter table runs add column signal bigint;

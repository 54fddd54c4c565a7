-- When a workspace is stopped by itself: a time at which it is whatever happens, and what its owner has asked for
-- against being stopped for want of use: a time, and a terminal or a job in it that shall end first.
alter table workspaces add column shutdown_deadline bigint;
alter table workspaces add column awake_until bigint;
alter table workspaces add column awake_terminal_id text;
alter table workspaces add column awake_terminal_name text;
alter table workspaces add column awake_job text;
alter table workspaces add column awake_command text;

-- How many releases a rollback can choose from, beside the pinned ones; the server's default when absent.
alter table projects add column releases_kept bigint check (releases_kept between 1 and 100);

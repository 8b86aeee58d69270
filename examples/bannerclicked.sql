-- The table of jobs.toml with a row a minute of January 2026, for trying Tailrace on `make up`.
create schema events;
create table events.bannerclicked (id bigint primary key, clicked_at timestamptz not null, banner text);
insert into events.bannerclicked
select n, timestamptz '2026-01-01 00:00+00' + n * interval '1 minute', 'banner ' || n % 100
from generate_series(0, 31 * 24 * 60 - 1) as n;
create index on events.bannerclicked (clicked_at);
grant usage on schema events to exporter;
grant select on events.bannerclicked to exporter;

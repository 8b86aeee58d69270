create schema events;

-- {days} days up to the last midnight (UTC), {rows} rows, with values that break careless CSV writers.
create table events.bannerclicked (
    id bigint generated always as identity primary key,
    clicked_at timestamptz not null,
    "Banner ""name""" text,
    referrer text,
    payload jsonb,
    price numeric(14, 4),
    tags text[],
    visitor uuid not null,
    raw bytea
);

insert into events.bannerclicked (clicked_at, "Banner ""name""", referrer, payload, price, tags, visitor, raw)
select
    date_trunc('day', now(), 'UTC') - interval '{days} days' + i * (interval '{days} days' / {rows}),
    case i % 7
        when 0 then 'said "yes", then' || chr(10) || 'left'
        when 1 then 'Größe ∞ 東京 🚀'
        when 2 then E'tab\there, backslash \\ and \\N and \\.'
        when 3 then ', ",", "" '
        when 4 then E'\\.\r\n'
        else 'banner ' || i % 1000
    end,
    case i % 5 when 0 then null when 1 then '' when 2 then 'NULL' else 'https://example.com/?q=' || i end,
    case when i % 3 = 0 then null else jsonb_build_object('n', i, 'text', E'quote " comma , line\n', 'nested', array[i % 9, null]) end,
    case when i % 11 = 0 then 'NaN'::numeric else (i % 100000) / 7.0 end,
    case i % 4 when 0 then null when 1 then '{{}}'::text[] else array['a,b', 'c"d', null, '', 'é' || i] end,
    md5(i::text)::uuid,
    case when i % 6 = 0 then decode(md5(i::text), 'hex') end
from generate_series(0, {rows} - 1) as i;

create index on events.bannerclicked (clicked_at);
analyze events.bannerclicked;
grant usage on schema events to exporter;
grant select on events.bannerclicked to exporter;

create or replace view lease_clock as
    select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now;

create or replace view lease_clock as
    select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now;

alter table email_tags
    alter column tenant_id type text collate "C",
    alter column hash type text collate "C",
    alter column email_id type text collate "C";

alter table api_keys alter column tenant_id type text collate "C";
alter table api_keys alter column id type text collate "C";

-- Where a request came from: an IP address as text. Null in rows that are older than this column.
alter table audit add column remote_address text;

-- The order in which a tenant reads its audit, page by page.
drop index audit_by_tenant;
create index audit_by_tenant on audit (tenant_id, at, id);

-- Work that replicas must not do at the same time. Whoever does a step of it writes the task's row in the same
-- transaction, and the others wait for that row.
create table background_tasks (
    name text not null primary key,
    last_step_at bigint not null
);

insert into background_tasks (name, last_step_at) values ('audit_retention', 0);

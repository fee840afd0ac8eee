-- The app of Microsoft 365 that a tenant sends with.

alter table email_configs add column client_id text;
alter table email_configs add column provider_tenant_id text;

-- What an operator lists tenants by, in one value: the state as the API tells it, the provider, whether a password is
-- used at Microsoft 365, and the code of the last check's diagnosis. There are some dozens of values at most, and so
-- any choice of tenants is a few ranges of one index, each in the order of the tenants. One index, since every
-- change of a configuration pays for it. The database makes the value, so that a process of the version before writes
-- it as well. The rules are those of `email_config::EmailConfig::error_code` and of the advice
-- M365_PASSWORD_SIGN_IN; a test holds them together.
--
-- A stored column, and no index over the expression: so a change that leaves the value as it is touches no index
-- (a heap-only update). It makes the table anew, once, while reads and writes wait.
--
-- Tenants are ordered by their bytes, as on SQLite and whatever the collation of the database, which would also change
-- with the system's C library.

alter table email_configs
    alter column tenant_id type text collate "C",
    add column listing_group text collate "C" generated always as (
        case
            when provider = 'Microsoft365' and secret_payload is null then 'INCOMPLETE_CONFIG'
            when provider = 'BasicAuth' and (server_address is null or server_port is null
                or security_type is null or email_address is null
                or (username is null) <> (secret_payload is null)) then 'INCOMPLETE_CONFIG'
            else health_state
        end
        || ',' || provider || ','
        || case
            when provider = 'BasicAuth' and username is not null and (
                server_address in ('smtp.office365.com', 'outlook.office365.com', 'smtp-mail.outlook.com')
                or server_address not like '%.mail.protection.outlook.com' and (
                    '.' || server_address like '%.outlook.%' and '.' || server_address not like '%.outlook.%.%.%'
                    or '.' || server_address like '%.hotmail.%' and '.' || server_address not like '%.hotmail.%.%.%'
                    or '.' || server_address like '%.live.%' and '.' || server_address not like '%.live.%.%.%'
                    or '.' || server_address like '%.msn.%' and '.' || server_address not like '%.msn.%.%.%'))
            then 'password-at-microsoft365'
            else ''
        end
        || ',' || coalesce(diagnosis_code, '')
    ) stored;

create index email_configs_listing on email_configs (listing_group, tenant_id);

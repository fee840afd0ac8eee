-- What an operator lists tenants by, in one value: the state as the API tells it, the provider, whether a password is
-- used at Microsoft 365, and the code of the last check's diagnosis. There are some dozens of values at most, and so
-- any choice of tenants is a few ranges of one index, each in the order of the tenants. One index, since every
-- change of a configuration pays for it. The database makes the value, so that a process of the version before writes
-- it as well. The rules are those of `email_config::EmailConfig::error_code` and of the advice
-- M365_PASSWORD_SIGN_IN; a test holds them together.
--
-- PostgreSQL reads the text of a generated column's expression anew for each statement, which for one as long as this
-- cost half as much as the rest of a change; a function is read once for each connection.
--
-- A stored column, and no index over the expression: so a change that leaves the value as it is touches no index
-- (a heap-only update). It makes the table anew, once, while reads and writes wait.
--
-- A page keeps a fifth of its room for the next version of a row that changes: without it the version moves to another
-- page, and every index with it.
--
-- Tenants are ordered by their bytes, as on SQLite and whatever the collation of the database, which would also change
-- with the system's C library.

create function listing_group_of(
    provider text, server_address text, server_port bigint, security_type text, username text, email_address text,
    has_secret boolean, health_state text, diagnosis_code text
) returns text language plpgsql immutable parallel safe as $$
begin
    return case
            when case provider
                    when 'Microsoft365' then not has_secret
                    when 'BasicAuth' then num_nulls(server_address, server_port, security_type, email_address) > 0
                        or (username is null) = has_secret
                end then 'INCOMPLETE_CONFIG'
            else health_state
        end
        || ',' || provider || ','
        || case
            when provider = 'BasicAuth' and username is not null
                and server_address ~
                    '^(smtp|outlook)\.office365\.com$|(^|\.)(outlook|hotmail|live|msn)\.[^.]+(\.[^.]+)?$'
                and server_address not like '%.mail.protection.outlook.com'
            then 'password-at-microsoft365'
            else ''
        end
        || ',' || coalesce(diagnosis_code, '');
end
$$;

alter table email_configs set (fillfactor = 80);

alter table email_configs
    alter column tenant_id type text collate "C",
    add column listing_group text collate "C" generated always as (listing_group_of(
        provider, server_address, server_port, security_type, username, email_address, secret_payload is not null,
        health_state, diagnosis_code)) stored;

create index email_configs_listing on email_configs (listing_group, tenant_id);

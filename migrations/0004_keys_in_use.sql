-- A row can only be sealed with a key that has a canary, and a canary that a row needs cannot be removed: so a key
-- that goes and a secret that is sealed with it at the same moment cannot miss each other.
--
-- SQLite adds no constraint to a column that is there. A new column takes the old one's place, on both engines.

alter table email_configs add column sealing_key_id text references key_canaries (key_id);
update email_configs set sealing_key_id = secret_key_id;
drop index email_configs_secret_key;
alter table email_configs drop column secret_key_id;
alter table email_configs rename column sealing_key_id to secret_key_id;

-- Which keys are needed, by how many rows, and which rows come next when data keys are wrapped anew.
create index email_configs_secret_key on email_configs (secret_key_id, tenant_id)
    where secret_key_id is not null;

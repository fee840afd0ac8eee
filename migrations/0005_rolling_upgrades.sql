-- Replicas of two versions work on one database while the newer one is rolled out. A migration says which programs it
-- leaves working: those that know at least this version of the schema. Null says none but those that know the
-- migration itself.

alter table schema_migrations add column works_with bigint;

-- Which programs a migration leaves working: those that know at least this version of the schema. Null says none but
-- those that know the migration itself.

alter table schema_migrations add column works_with bigint;

-- The requests of the one process that SQLite serves are counted in its memory.

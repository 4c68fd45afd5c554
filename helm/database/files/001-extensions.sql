-- Extensions live in a schema of their own, so that `public` holds the application's objects only.
create schema if not exists extensions;

-- Both are trusted: the owner of the database may install them. One that was installed elsewhere stays there: its
-- functions belong to the server's superuser and cannot be moved.
create extension if not exists pgcrypto with schema extensions;
select pg_temp.attempt('uuid-ossp', 'create extension if not exists "uuid-ossp" with schema extensions') as has_uuid \gset

-- RDS has the library behind it, other builds of PostgreSQL may not: then the one function of it that tables use as a
-- default is made of PostgreSQL's own.
\if :has_uuid
\else
create or replace function extensions.uuid_generate_v4() returns uuid language sql volatile parallel safe
  as 'select gen_random_uuid()';
\endif

-- Not trusted in general; a master user of RDS may.
select pg_temp.attempt('pg_stat_statements',
  'create extension if not exists pg_stat_statements with schema extensions') is null as done \gset

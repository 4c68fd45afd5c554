-- Extensions live in a schema of their own, so that `public` holds the application's objects only.
create schema if not exists extensions;

-- Both are trusted: the owner of the database may install them. One that was installed elsewhere stays there: its
-- functions belong to the server's superuser and cannot be moved.
create extension if not exists "uuid-ossp" with schema extensions;
create extension if not exists pgcrypto with schema extensions;

-- Not trusted in general; a master user of RDS may.
select pg_temp.attempt('pg_stat_statements',
  'create extension if not exists pg_stat_statements with schema extensions') is null as done \gset

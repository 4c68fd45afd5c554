-- Everything that Supabase's services expect of a database and that its owner, who is no superuser on RDS, has to make.
--
-- Invariants: one run at a time (advisory lock of the session); each step is one transaction and may be run any
-- number of times from any state; the ledger says what was applied, when and from which inputs; the only output is the
-- capability report. Nothing here names SUPERUSER, REPLICATION or their negations: a master user may not even repeat them.

set lock_timeout = '180s';
do $$ begin perform pg_advisory_lock(hashtextextended('supabase-bootstrap', 0)); end $$;
set lock_timeout = '30s';

create schema if not exists supabase_bootstrap;
create table if not exists supabase_bootstrap.ledger (
  step text primary key,
  digest text not null,
  runs integer not null default 1,
  first_applied_at timestamptz not null default now(),
  applied_at timestamptz not null default now()
);
revoke all on schema supabase_bootstrap from public;

\ir helpers.sql

\set step 001-extensions
\ir step.sql
\set step 002-roles
\ir step.sql
\set step 003-memberships
\ir step.sql
\set step 004-schemas
\ir step.sql
\set step 005-privileges
\ir step.sql
\set step 006-settings
\ir step.sql
\set step 007-passwords
\ir step.sql
\set step 008-graphql
\ir step.sql
\set step 009-row-security
\ir step.sql
\set step 010-backup
\ir step.sql
\set step 011-realtime
\ir step.sql
\set step 012-event-triggers
\ir step.sql
\set step 013-coverage
\ir step.sql

\ir capabilities.sql

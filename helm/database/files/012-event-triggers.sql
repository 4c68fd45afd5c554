-- The functions act as the master user, whoever ran the statement that they follow.

-- A failure here must not fail the statement, nor make it wait for somebody else's table. Realtime's tables wait for the
-- schedule: one of its migrations copies the policies of a table to a new one, and would meet ours there.
create or replace function supabase_bootstrap.after_ddl() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
  perform supabase_bootstrap.cover('realtime');
exception when others then
  raise warning 'new objects are not open to service_role and supabase_backup yet: %', sqlerrm;
end $$;

-- PostgREST reads the schema again when it hears this.
create or replace function supabase_bootstrap.notify_api() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  notify pgrst, 'reload schema';
end $$;

revoke all on function supabase_bootstrap.after_ddl(), supabase_bootstrap.notify_api() from public;

-- Replaced as a whole each time: what a trigger listens to cannot be altered.
do $$
begin
  perform pg_temp.attempt('event_triggers', $trigger$
    drop event trigger if exists supabase_notify_api;
    create event trigger supabase_notify_api on ddl_command_end execute function supabase_bootstrap.notify_api();
    drop event trigger if exists supabase_cover_row_security;
    create event trigger supabase_cover_row_security on ddl_command_end
      when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE SCHEMA', 'CREATE SEQUENCE', 'CREATE MATERIALIZED VIEW')
      execute function supabase_bootstrap.after_ddl();
  $trigger$);
end $$;

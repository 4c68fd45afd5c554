-- service_role is meant to see every row. Where the server does not let it bypass row security, each table with row
-- security gets a policy that admits it; the same for the dump. New tables are covered by an event trigger where the
-- server allows one, and else by a schedule that calls cover_row_security().

create or replace function supabase_bootstrap.cover_row_security() returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  service boolean := not (select rolbypassrls from pg_roles where rolname = 'service_role');
  backup boolean := not (select rolbypassrls from pg_roles where rolname = 'supabase_backup');
  target record;
  made integer := 0;
begin
  for target in
    select c.oid, n.nspname, c.relname
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relrowsecurity and c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and pg_has_role(current_user, c.relowner, 'usage')
  loop
    if service and not exists (select from pg_policy where polrelid = target.oid and polname = 'service_role_sees_all') then
      execute format('create policy service_role_sees_all on %I.%I for all to service_role using (true) with check (true)',
        target.nspname, target.relname);
      made := made + 1;
    end if;
    if backup and not exists (select from pg_policy where polrelid = target.oid and polname = 'backup_reads_all') then
      execute format('create policy backup_reads_all on %I.%I for select to supabase_backup using (true)',
        target.nspname, target.relname);
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
comment on function supabase_bootstrap.cover_row_security() is
  'Admits service_role and supabase_backup to every table with row security; returns how many policies it made.';

-- Acts as the master user, whoever ran the statement. A failure here must not fail the statement.
create or replace function supabase_bootstrap.after_ddl() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform supabase_bootstrap.cover_row_security();
exception when others then
  raise warning 'row security of new tables is not covered: %', sqlerrm;
end $$;

-- PostgREST reads the schema again when it hears this.
create or replace function supabase_bootstrap.notify_api() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  notify pgrst, 'reload schema';
end $$;

revoke all on function supabase_bootstrap.cover_row_security() from public;
revoke all on function supabase_bootstrap.after_ddl() from public;
revoke all on function supabase_bootstrap.notify_api() from public;

do $$
begin
  if not exists (select from pg_event_trigger where evtname = 'supabase_notify_api') then
    perform pg_temp.attempt('event_triggers',
      'create event trigger supabase_notify_api on ddl_command_end execute function supabase_bootstrap.notify_api()');
  else
    insert into pg_temp.capability values ('event_triggers', true, null);
  end if;

  if (select allowed from pg_temp.capability where name = 'event_triggers')
    and exists (select from pg_roles where rolname in ('service_role', 'supabase_backup') and not rolbypassrls)
    and not exists (select from pg_event_trigger where evtname = 'supabase_cover_row_security') then
    perform pg_temp.attempt('cover_new_tables', $trigger$
      create event trigger supabase_cover_row_security on ddl_command_end
        when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'ALTER TABLE')
        execute function supabase_bootstrap.after_ddl()
    $trigger$);
  end if;
end $$;

select supabase_bootstrap.cover_row_security() as covered \gset

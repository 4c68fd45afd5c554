-- service_role is meant to see every row. Where the server does not let it bypass row security, each table with row
-- security gets a policy that admits it; the same for the dump. The dump may also need grants, and Realtime looks names
-- up in every schema. New objects are covered by an event trigger where the server allows one (012), and by a schedule.

-- Tables of which `reader` may not see every row, and why. What decides is the catalog, not the names of policies.
create or replace function supabase_bootstrap.rows_hidden_from(reader name)
returns table (table_id oid, table_name text, owner name, reason text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select secured.oid, format('%I.%I', secured.nspname, secured.relname), pg_get_userbyid(secured.relowner),
    case when restrictive is null then format('no policy admits %I to every row', reader)
      else format('the restrictive policy %I applies to %I', restrictive, reader) end
  from (
    select c.oid, c.relname, c.relowner, n.nspname,
      exists (
        select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
          and pg_get_expr(p.polqual, p.polrelid) = 'true'
          and exists (select from unnest(p.polroles) as role_id where role_id = 0 or pg_has_role(reader, role_id, 'usage'))
      ) as admitted,
      (
        select min(p.polname::text) from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('r', '*')
          and pg_get_expr(p.polqual, p.polrelid) <> 'true'
          and exists (select from unnest(p.polroles) as role_id where role_id = 0 or pg_has_role(reader, role_id, 'usage'))
      ) as restrictive
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relrowsecurity and c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and (c.relforcerowsecurity or not pg_has_role(reader, c.relowner, 'usage'))
  ) as secured
  where (not admitted or restrictive is not null)
    and not exists (select from pg_roles where rolname = reader and (rolbypassrls or rolsuper))
$$;

-- What a dump by supabase_backup would lack. dump.sh of helm/supabase asks before each dump.
create or replace function supabase_bootstrap.missing_from_backup() returns table (object_name text, owner name, reason text, of_extension boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select table_name, owner, reason,
    exists (select from pg_depend where classid = 'pg_class'::regclass and objid = table_id and deptype = 'e')
  from supabase_bootstrap.rows_hidden_from('supabase_backup')
  union all
  select format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner), 'supabase_backup may not read it', false
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
    and not (has_schema_privilege('supabase_backup', n.oid, 'usage') and case c.relkind
      when 'S' then has_sequence_privilege('supabase_backup', c.oid, 'select')
      else has_table_privilege('supabase_backup', c.oid, 'select') end)
$$;

-- A table of a role that somebody else made: whoever administers the role may also act for it.
create or replace function supabase_bootstrap.act_for_owners() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner_name name;
begin
  for owner_name in
    select distinct pg_get_userbyid(c.relowner) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and pg_get_userbyid(c.relowner) !~ '^(pg_|rds)' and not pg_has_role(current_user, c.relowner, 'usage')
  loop
    begin
      execute format('grant %I to current_user', owner_name);
    exception when insufficient_privilege then
      -- Out of reach: missing_from_backup() names its tables.
      null;
    end;
  end loop;
end $$;

-- Does what is missing and within reach, except for policies in the schema `spared`; returns how much that was.
create or replace function supabase_bootstrap.cover(spared name) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  reader name;
  policy_name name;
  commands "char";
  clauses text;
  target record;
  made integer := 0;
begin
  perform supabase_bootstrap.act_for_owners();

  for reader, policy_name, commands, clauses in select * from (values
    ('service_role', 'service_role_sees_all', '*', 'for all to service_role using (true) with check (true)'),
    ('supabase_backup', 'backup_reads_all', 'r', 'for select to supabase_backup using (true)')
  ) as policies loop
    continue when (select rolbypassrls from pg_roles where rolname = reader);
    for target in
      select c.oid::regclass as name, p.polname is not null as is_wrong
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
        left join pg_policy p on p.polrelid = c.oid and p.polname = policy_name
      where c.relrowsecurity and c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
        and n.nspname <> spared and pg_has_role(current_user, c.relowner, 'usage')
        and (p.polpermissive and p.polcmd = commands and p.polroles = array[reader::regrole::oid]
          and pg_get_expr(p.polqual, p.polrelid) = 'true') is not true
    loop
      if target.is_wrong then
        execute format('drop policy %I on %s', policy_name, target.name);
      end if;
      execute format('create policy %I on %s %s', policy_name, target.name, clauses);
      made := made + 1;
    end loop;
  end loop;

  for target in
    select n.nspname as name, grantee
    from pg_namespace n, unnest(array['supabase_admin', 'supabase_backup']) as grantee
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and not has_schema_privilege(grantee, n.oid, 'usage') and pg_has_role(current_user, n.nspowner, 'usage')
  loop
    execute format('grant usage on schema %I to %I', target.name, target.grantee);
    made := made + 1;
  end loop;

  for target in
    select c.oid::regclass as name, c.relkind = 'S' as is_sequence
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and pg_has_role(current_user, c.relowner, 'usage') and case c.relkind
        when 'S' then not has_sequence_privilege('supabase_backup', c.oid, 'select')
        else not has_table_privilege('supabase_backup', c.oid, 'select') end
  loop
    execute format('grant select on %s %s to supabase_backup', case when target.is_sequence then 'sequence' else 'table' end, target.name);
    made := made + 1;
  end loop;
  return made;
end $$;

-- What the schedule calls. It has no argument, because a rolled back release still calls it.
create or replace function supabase_bootstrap.cover_row_security() returns integer
language sql set search_path = pg_catalog, pg_temp as $$ select supabase_bootstrap.cover('') $$;
comment on function supabase_bootstrap.cover_row_security() is
  'Admits service_role and supabase_backup to every table with row security, and supabase_backup and supabase_admin to '
  'every schema; returns how many policies and grants it made.';

revoke all on all functions in schema supabase_bootstrap from public;
grant usage on schema supabase_bootstrap to supabase_backup;
grant execute on function supabase_bootstrap.rows_hidden_from(name), supabase_bootstrap.missing_from_backup() to supabase_backup;

-- Functions of the session that restores; see restore.sh. They work without a search path, as pg_restore sets none.

-- A table's owner may be a role that was made by hand.
create function pg_temp.act_for_all_roles() returns void language plpgsql as $$
declare
  role_name name;
begin
  for role_name in
    select rolname from pg_roles where rolname !~ '^(pg_|rds)' and not rolsuper and not pg_has_role(current_user, oid, 'usage')
  loop
    begin
      execute format('grant %I to current_user', role_name);
    exception when insufficient_privilege then
      raise warning 'what belongs to % cannot be restored: %', role_name, sqlerrm;
    end;
  end loop;
end $$;

-- Who is given a table needs the right to make one there, which its owner may have lost since.
create temporary table opened_schema (schema_name name, role_name name) on commit drop;
create function pg_temp.open_schemas() returns void language plpgsql as $$
declare
  pair record;
begin
  for pair in
    insert into pg_temp.opened_schema select nspname, rolname from pg_namespace, pg_roles
    where nspname !~ '^pg_' and nspname <> 'information_schema' and pg_has_role(current_user, nspowner, 'usage')
      and rolname !~ '^(pg_|rds)' and not rolsuper and not has_schema_privilege(rolname, pg_namespace.oid, 'create')
    returning *
  loop
    execute format('grant create on schema %I to %I', pair.schema_name, pair.role_name);
  end loop;
end $$;
create function pg_temp.close_schemas() returns void language plpgsql as $$
declare
  pair record;
begin
  for pair in select * from pg_temp.opened_schema loop
    execute format('revoke create on schema %I from %I', pair.schema_name, pair.role_name);
  end loop;
end $$;

-- New objects of the master user get the default privileges that the bootstrap has set. What was taken from one of them
-- would come back open: so each starts from its owner's rights alone, as the grants of a dump assume.
create function pg_temp.take_back_grants() returns void language plpgsql as $$
declare
  given record;
begin
  for given in
    select distinct case c.relkind when 'S' then 'sequence' else 'table' end as kind, c.oid::regclass::text as name, acl.grantee
    from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) as acl
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'supabase_bootstrap')
      and acl.grantee <> c.relowner and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
    union all
    select distinct 'routine', p.oid::regprocedure::text, acl.grantee
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(p.proacl) as acl
    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'supabase_bootstrap')
      and acl.grantee not in (0, p.proowner)
      and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = p.oid and deptype = 'e')
  loop
    execute format('revoke all on %s %s from %s', given.kind, given.name,
      case given.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(given.grantee)) end);
  end loop;
end $$;

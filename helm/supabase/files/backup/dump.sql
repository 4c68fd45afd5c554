-- See dump.sh.
\getenv folder DUMP_DIR
-- A dump may take longer than a session may be idle.
set idle_in_transaction_session_timeout = 0;
begin transaction isolation level repeatable read, read only;

do $$
declare
  missing text;
begin
  select string_agg(format('%s of %I: %s', object_name, owner, reason), E'\n' order by object_name, reason)
    into missing from supabase_bootstrap.missing_from_backup() where not of_extension;
  if missing is not null then
    raise exception 'the backup would lack rows, so there is none' using detail = missing, hint =
      'select supabase_bootstrap.cover_row_security() as the master user covers what it can reach. A table of a role that it '
      'cannot reach needs: grant <owner> to <master user>. A restrictive policy has to name the roles that it is meant for: '
      'alter policy <name> on <table> to anon, authenticated.';
  end if;
  -- Nobody but AWS can change those, and no restore needs them.
  for missing in select format('%s of %I: %s', object_name, owner, reason) from supabase_bootstrap.missing_from_backup() where of_extension loop
    raise warning 'the backup lacks rows of an extension: %', missing;
  end loop;
end $$;

-- Roles belong to the server and not to the database, so pg_dump leaves them out. Passwords cannot be read, and what only a
-- superuser may give (BYPASSRLS, REPLICATION) could not be restored.
\set roles :folder /roles.sql
\o :roles
with kept as (
  select * from pg_roles where rolname !~ '^(pg_|rds)' and not rolsuper
    and oid <> (select nspowner from pg_namespace where nspname = 'supabase_bootstrap')
), statements as (
  select 1 as place, rolname::text as key, format('create role %I %s', rolname, concat_ws(' ',
    case when rolcanlogin then 'login' else 'nologin' end, case when rolinherit then 'inherit' else 'noinherit' end,
    case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end,
    case when rolconnlimit >= 0 then format('connection limit %s', rolconnlimit) end,
    case when rolvaliduntil is not null then format('valid until %L', rolvaliduntil) end)) as statement
  from kept
  union all
  select 2, granted.rolname || ' ' || member.rolname, format('grant %I to %I with admin %s, inherit %s, set %s', granted.rolname,
    member.rolname, bool_or(m.admin_option)::text, bool_or(m.inherit_option)::text, bool_or(m.set_option)::text)
  from pg_auth_members m join pg_roles granted on granted.oid = m.roleid join kept member on member.oid = m.member
  group by granted.rolname, member.rolname
  union all
  select 3, kept.rolname || ' ' || setting, format('alter role %I set %I to %s', kept.rolname, split_part(setting, '=', 1),
    case when split_part(setting, '=', 1) in ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
      then substr(setting, strpos(setting, '=') + 1) else quote_literal(substr(setting, strpos(setting, '=') + 1)) end)
  from kept join pg_db_role_setting s on s.setrole = kept.oid and s.setdatabase = 0, unnest(s.setconfig) as setting
)
select format('do %L;', format('begin %s; exception when duplicate_object then null; '
  'when insufficient_privilege or undefined_object or invalid_grant_operation then raise warning ''left out: %%'', sqlerrm; end', statement))
from statements order by place, key;
\o

-- Where the role does not bypass row security, policies admit it to every row: without that option pg_dump refuses.
select pg_export_snapshot() as snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --format=custom --compress=6 --no-password --enable-row-security --snapshot="$SNAPSHOT" --file="$DUMP_DIR/database.dump" && touch "$DUMP_DIR/complete"
commit;

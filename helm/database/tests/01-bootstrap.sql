-- check: every step is in the ledger with the inputs it was run from | role=master | expect=ok
do $$ begin
  assert (select count(*) from supabase_bootstrap.ledger) = 13, 'steps are missing from the ledger';
  assert not exists (select from supabase_bootstrap.ledger where digest = '' or runs < 1), 'a ledger entry is empty';
end $$;

-- check: the master user is no superuser, and neither is any role of Supabase | role=master | expect=ok
do $$ begin
  assert not exists (
    select from pg_roles where rolsuper and rolname in (current_user, 'anon', 'authenticated', 'service_role', 'authenticator',
      'supabase_auth_admin', 'supabase_storage_admin', 'supabase_admin', 'supabase_backup', 'postgres', 'dashboard_user')
  ), 'a role is a superuser';
end $$;

-- check: the session arrives encrypted | role=authenticator | expect=ok
do $$ begin
  assert (select ssl from pg_stat_ssl where pid = pg_backend_pid()), 'the connection is not encrypted';
end $$;

-- check: roles that log in have the schema they expect first in their search path | role=master | expect=ok
do $$ begin
  assert exists (select from pg_roles where rolname = 'supabase_auth_admin' and 'search_path=auth' = any (rolconfig));
  assert exists (select from pg_roles where rolname = 'supabase_storage_admin' and 'search_path=storage' = any (rolconfig));
  assert exists (select from pg_roles where rolname = 'anon' and 'statement_timeout=3s' = any (rolconfig));
end $$;

-- check: schemas belong to the roles that migrate them | role=master | expect=ok
do $$ begin
  assert (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'auth') = 'supabase_auth_admin';
  assert (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'storage') = 'supabase_storage_admin';
  assert (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'realtime') = 'supabase_admin';
  assert (select pg_get_userbyid(nspowner) from pg_namespace where nspname = '_realtime') = 'supabase_admin';
end $$;

-- check: nobody but the master user reads the ledger | role=supabase_admin | expect=error 42501
select * from supabase_bootstrap.ledger;

-- check: no service makes policies by hand | role=authenticator | expect=error 42501
select supabase_bootstrap.cover_row_security();

-- check: no role that logs in for a service has another's rights without becoming it | role=master | expect=ok
do $$ begin
  assert not exists (
    select from unnest(array['anon', 'authenticated', 'service_role']) as role_name,
      unnest(array['authenticator', 'supabase_auth_admin', 'supabase_storage_admin']) as member
    where pg_has_role(member, role_name, 'usage')
  ), 'a service has the rights of a role of the API without SET ROLE';
end $$;

-- check: Realtime looks names up in every schema | role=supabase_admin | expect=ok
do $$ begin
  assert not exists (select from pg_namespace where nspname !~ '^pg_' and not has_schema_privilege(oid, 'usage')),
    'there is a schema that supabase_admin may not use';
end $$;

-- check: new objects are covered at once where the server lets its master user say so | role=master | expect=ok
do $$ begin
  assert (select count(*) from pg_event_trigger t join pg_proc p on p.oid = t.evtfoid where p.pronamespace = 'supabase_bootstrap'::regnamespace) in (0, 2);
end $$;

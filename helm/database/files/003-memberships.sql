-- Who may become whom.

-- The master user acts for every role that it made: owning schemas for them and setting their default privileges.
-- From PostgreSQL 16 on, having made a role is not enough for that.
do $$
declare
  role_name text;
begin
  foreach role_name in array array[
    'anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin', 'supabase_storage_admin',
    'supabase_admin', 'postgres', 'dashboard_user', 'supabase_realtime_admin', 'supabase_backup'
  ] loop
    execute format('grant %I to current_user', role_name);
  end loop;
end $$;

-- PostgREST logs in and becomes the role of the caller's token; Storage does the same on its own connections.
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to supabase_storage_admin;

-- The dashboard and Realtime look at data as the roles of the API do.
grant anon, authenticated, service_role to postgres, supabase_admin, supabase_realtime_admin;
grant supabase_realtime_admin, supabase_auth_admin, supabase_storage_admin, postgres, dashboard_user to supabase_admin;

-- What RDS offers in place of the REPLICATION attribute; absent elsewhere.
select pg_temp.attempt('replication', 'grant rds_replication to supabase_admin') is null as done \gset
select pg_temp.attempt('monitor', 'grant pg_monitor, pg_signal_backend to supabase_admin') is null as done \gset

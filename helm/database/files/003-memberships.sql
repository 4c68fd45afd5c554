-- Who may become whom, and whose rights it has without becoming it: see pg_temp.grant_role.

-- The master user acts for every role that it made: owning schemas for them and setting their default privileges.
-- From PostgreSQL 16 on, having made a role is not enough for that.
select pg_temp.grant_role(role_name, current_user, true) from unnest(array[
  'anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin', 'supabase_storage_admin',
  'supabase_admin', 'postgres', 'dashboard_user', 'supabase_realtime_admin', 'supabase_backup'
]) as role_name \g /dev/null

-- PostgREST logs in and becomes the role of the caller's token; Storage does the same on its own connections.
select pg_temp.grant_role(role_name, 'authenticator', false)
  from unnest(array['anon', 'authenticated', 'service_role']) as role_name \g /dev/null
select pg_temp.grant_role(role_name, 'supabase_storage_admin', false)
  from unnest(array['anon', 'authenticated', 'service_role', 'authenticator']) as role_name \g /dev/null

-- The dashboard and Realtime look at data as the roles of the API do.
select pg_temp.grant_role(role_name, member, member <> 'supabase_realtime_admin')
  from unnest(array['anon', 'authenticated', 'service_role']) as role_name,
    unnest(array['postgres', 'supabase_admin', 'supabase_realtime_admin']) as member \g /dev/null
-- One of Realtime's migrations grants its role on.
select pg_temp.grant_role(role_name, 'supabase_admin', true, role_name = 'supabase_realtime_admin')
  from unnest(array['supabase_realtime_admin', 'supabase_auth_admin', 'supabase_storage_admin', 'postgres', 'dashboard_user'])
    as role_name \g /dev/null

-- What RDS offers in place of the REPLICATION attribute; absent elsewhere.
select pg_temp.attempt('replication', $$select pg_temp.grant_role('rds_replication', 'supabase_admin', true)$$) is null as done \gset
select pg_temp.attempt('monitor', $$select pg_temp.grant_role('pg_monitor', 'supabase_admin', true),
  pg_temp.grant_role('pg_signal_backend', 'supabase_admin', true)$$) is null as done \gset

-- One schema a service, owned by the role that migrates it.
do $$
begin
  perform pg_temp.ensure_schema('auth', 'supabase_auth_admin');
  perform pg_temp.ensure_schema('storage', 'supabase_storage_admin');
  perform pg_temp.ensure_schema('_realtime', 'supabase_admin');
  perform pg_temp.ensure_schema('realtime', 'supabase_admin');
end $$;

-- PostgREST does not load a schema cache that names a schema which is not there.
create schema if not exists graphql_public;

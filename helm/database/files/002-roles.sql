-- Who exists. Passwords come in a later step; memberships decide what each may become.

do $$
begin
  -- What a request to the API runs as.
  perform pg_temp.ensure_role('anon', 'nologin noinherit');
  perform pg_temp.ensure_role('authenticated', 'nologin noinherit');
  perform pg_temp.ensure_role('service_role', 'nologin noinherit');

  -- What services log in as. None may make roles: their migrations need no more than their own schema.
  perform pg_temp.ensure_role('authenticator', 'login noinherit');
  perform pg_temp.ensure_role('supabase_auth_admin', 'login noinherit');
  perform pg_temp.ensure_role('supabase_storage_admin', 'login noinherit');

  -- The project's administrator: dashboard, Realtime, functions.
  perform pg_temp.ensure_role('supabase_admin', 'login createrole createdb');

  -- Names that the services' own migrations grant to.
  perform pg_temp.ensure_role('postgres', 'nologin');
  perform pg_temp.ensure_role('dashboard_user', 'nologin');
  perform pg_temp.ensure_role('supabase_realtime_admin', 'nologin noinherit');

  -- Reads everything for the logical dump.
  perform pg_temp.ensure_role('supabase_backup', 'login');

  -- A role made half, or by hand, gets what is missing; what it inherits is part of its memberships.
  alter role authenticator login noinherit;
  alter role supabase_auth_admin login noinherit;
  alter role supabase_storage_admin login noinherit;
  alter role supabase_admin login createrole createdb;
  alter role supabase_backup login inherit;

  -- A master user may hand these on where the server lets it; each answer ends in the report.
  perform pg_temp.attempt('bypassrls', 'alter role service_role bypassrls');
  perform pg_temp.attempt('bypassrls_admin', 'alter role supabase_admin bypassrls');
  perform pg_temp.attempt('bypassrls_backup', 'alter role supabase_backup bypassrls');
end $$;

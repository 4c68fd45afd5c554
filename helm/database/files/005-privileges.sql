-- What each role may touch, now and in objects to come.

-- Nobody makes objects in `public` by default (PostgreSQL 15 and later agree; older databases were upgraded).
revoke create on schema public from public;
grant usage on schema public to anon, authenticated, service_role, postgres;
grant usage, create on schema public to supabase_admin, postgres;

-- The administrator makes schemas, publications and trusted extensions; Realtime makes its publication as it.
do $$
begin
  execute format('grant create, connect, temporary on database %I to supabase_admin', current_database());
end $$;

-- Tables of the application are the API's from the start; row security decides about rows.
do $$
declare
  creator text;
begin
  foreach creator in array array[current_user::text, 'supabase_admin', 'postgres'] loop
    execute format('alter default privileges for role %I in schema public grant all on tables to anon, authenticated, service_role, postgres', creator);
    execute format('alter default privileges for role %I in schema public grant all on sequences to anon, authenticated, service_role, postgres', creator);
    execute format('alter default privileges for role %I in schema public grant all on functions to anon, authenticated, service_role, postgres', creator);
  end loop;
end $$;

-- Policies call auth.uid() and its kin.
grant usage on schema auth to anon, authenticated, service_role, postgres, dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth grant all on tables to postgres, dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth grant all on sequences to postgres, dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth grant all on functions to postgres, dashboard_user;

-- Storage runs with DB_INSTALL_ROLES=false and leaves these to us.
grant usage on schema storage to anon, authenticated, service_role, postgres, dashboard_user;
alter default privileges for role supabase_storage_admin in schema storage grant all on tables to anon, authenticated, service_role, postgres;
alter default privileges for role supabase_storage_admin in schema storage grant all on sequences to anon, authenticated, service_role, postgres;
alter default privileges for role supabase_storage_admin in schema storage grant all on functions to anon, authenticated, service_role, postgres;

grant usage on schema realtime to anon, authenticated, service_role, postgres, dashboard_user;
grant usage, create on schema realtime to supabase_realtime_admin;
alter default privileges for role supabase_admin in schema realtime grant all on tables to postgres, dashboard_user, supabase_realtime_admin;
alter default privileges for role supabase_admin in schema realtime grant all on sequences to postgres, dashboard_user, supabase_realtime_admin;
alter default privileges for role supabase_admin in schema realtime grant all on functions to postgres, dashboard_user, supabase_realtime_admin;

grant usage on schema extensions to anon, authenticated, service_role, postgres, dashboard_user, authenticator,
  supabase_auth_admin, supabase_storage_admin, supabase_admin, supabase_realtime_admin;
grant create on schema extensions to supabase_admin;
grant usage on schema graphql_public to anon, authenticated, service_role, authenticator, postgres;

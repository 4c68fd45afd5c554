-- supabase_backup reads everything and writes nothing.
alter role supabase_backup set default_transaction_read_only = on;

do $$
declare
  owner_name text;
  schema_name text;
begin
  if pg_temp.attempt('read_all_data', 'grant pg_read_all_data to supabase_backup') then
    return;
  end if;
  -- Without the predefined role: what there is, and what the services will make.
  foreach schema_name in array array['public', 'auth', 'storage', 'realtime', '_realtime', 'extensions', 'graphql_public', 'supabase_bootstrap'] loop
    execute format('grant usage on schema %I to supabase_backup', schema_name);
  end loop;
  for owner_name, schema_name in
    select * from (values
      ('supabase_auth_admin', 'auth'), ('supabase_storage_admin', 'storage'), ('supabase_admin', 'realtime'),
      ('supabase_admin', '_realtime'), ('supabase_admin', 'public'), ('postgres', 'public'), (current_user::text, 'public')
    ) as reach
  loop
    execute format('alter default privileges for role %I in schema %I grant select on tables to supabase_backup', owner_name, schema_name);
    execute format('alter default privileges for role %I in schema %I grant select on sequences to supabase_backup', owner_name, schema_name);
  end loop;
  for owner_name, schema_name in
    select c.relname, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and pg_has_role(current_user, c.relowner, 'usage')
  loop
    execute format('grant select on %I.%I to supabase_backup', schema_name, owner_name);
  end loop;
end $$;

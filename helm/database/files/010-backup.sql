-- supabase_backup reads everything and writes nothing.
alter role supabase_backup set default_transaction_read_only = on;

-- Without the predefined role the last step grants what there is. What the services make is its from the start:
-- a schedule alone would leave their new tables out until it comes round.
do $$
declare
  owner_name text;
  schema_name text;
begin
  if pg_temp.attempt('read_all_data', $grant$select pg_temp.grant_role('pg_read_all_data', 'supabase_backup', true)$grant$) then
    return;
  end if;
  for owner_name, schema_name in
    select * from (values
      ('supabase_auth_admin', 'auth'), ('supabase_storage_admin', 'storage'), ('supabase_admin', 'realtime'),
      ('supabase_admin', '_realtime'), ('supabase_admin', 'public'), ('postgres', 'public'), (current_user::text, 'public')
    ) as reach
  loop
    execute format('alter default privileges for role %I in schema %I grant select on tables to supabase_backup', owner_name, schema_name);
    execute format('alter default privileges for role %I in schema %I grant select on sequences to supabase_backup', owner_name, schema_name);
  end loop;
end $$;

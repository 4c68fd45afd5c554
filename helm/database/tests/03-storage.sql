-- check: Storage makes its tables without naming the schema, and they are the API's | role=supabase_storage_admin | expect=ok
create table if not exists check_objects (id integer primary key, name text);
alter table check_objects enable row level security;
insert into check_objects values (1, 'one') on conflict do nothing;
create or replace function check_folder(name text) returns text language sql as 'select name';
do $$ begin
  assert to_regclass('storage.check_objects') is not null, 'the table is not in schema storage';
  assert has_table_privilege('anon', 'storage.check_objects', 'select');
  assert has_table_privilege('authenticated', 'storage.check_objects', 'insert');
  assert has_table_privilege('service_role', 'storage.check_objects', 'delete');
end $$;

-- check: Storage becomes the role of the caller's token | role=supabase_storage_admin | expect=ok
set local role anon;
select * from storage.check_objects;
set local role authenticated;
select * from storage.check_objects;
set local role service_role;
select * from storage.check_objects;

-- check: row security hides objects from a caller without a policy | role=supabase_storage_admin | expect=ok
set local role anon;
do $$ begin
  assert (select count(*) from storage.check_objects) = 0, 'anon sees objects without a policy';
end $$;

-- check: Storage makes nothing in public | role=supabase_storage_admin | expect=error 42501
create table public.check_intruder (id integer);

-- check: Storage does not read users | role=supabase_storage_admin | expect=error 42501
select * from auth.check_users;

-- check: Storage makes no schemas | role=supabase_storage_admin | expect=error 42501
create schema check_intruder;

-- check: Storage makes no roles | role=supabase_storage_admin | expect=error 42501
create role check_intruder;

-- check: Storage does not become GoTrue | role=supabase_storage_admin | expect=error 42501
set local role supabase_auth_admin;

-- check: Storage does not become the administrator | role=supabase_storage_admin | expect=error 42501
set local role supabase_admin;

-- check: the administrator makes tables that the API serves at once | role=supabase_admin | expect=ok
create table if not exists public.check_notes (id integer primary key, body text);
insert into public.check_notes values (1, 'one') on conflict do nothing;
do $$ begin
  assert has_table_privilege('anon', 'public.check_notes', 'select');
  assert has_table_privilege('service_role', 'public.check_notes', 'delete');
end $$;

-- check: the administrator makes tables with row security | role=supabase_admin | expect=ok
create table if not exists public.check_secured (id integer primary key);
alter table public.check_secured enable row level security;
insert into public.check_secured values (1) on conflict do nothing;

-- check: the administrator makes partitions with row security of their own | role=supabase_admin | expect=ok
create table if not exists public.check_parts (id integer, part integer) partition by list (part);
create table if not exists public.check_parts_1 partition of public.check_parts for values in (1);
alter table public.check_parts enable row level security;
alter table public.check_parts_1 enable row level security;
do $$ begin
  if not exists (select from public.check_parts) then
    insert into public.check_parts values (1, 1);
  end if;
end $$;

-- check: a role of the administrator's own makes tables in a schema of its own | role=supabase_admin | expect=ok
do $$ begin
  if not exists (select from pg_roles where rolname = 'check_owner') then
    create role check_owner nologin;
    grant check_owner to supabase_admin with inherit false, set true;
  end if;
end $$;
create schema if not exists check_owned;
grant usage, create on schema check_owned to check_owner;
set local role check_owner;
create table if not exists check_owned.check_foreign (id integer primary key);
alter table check_owned.check_foreign enable row level security;
insert into check_owned.check_foreign values (1) on conflict do nothing;

-- check: Realtime grants its own role on | role=supabase_admin | expect=ok
grant supabase_realtime_admin to dashboard_user;
revoke supabase_realtime_admin from dashboard_user;

-- check: the administrator makes and drops schemas | role=supabase_admin | expect=ok
create schema check_schema;
drop schema check_schema;

-- check: the administrator makes and drops roles | role=supabase_admin | expect=ok
create role check_role nologin;
drop role check_role;

-- check: the dashboard reads users and objects | role=supabase_admin | expect=ok
select * from auth.check_users;
select * from storage.check_objects;

-- check: the dashboard looks at data as a role of the API | role=supabase_admin | expect=ok
set local role anon;
select * from public.check_notes;

-- check: Realtime migrates both of its schemas | role=supabase_admin | expect=ok
create table if not exists _realtime.check_tenants (id integer);
create table if not exists realtime.check_messages (id integer);
set local role supabase_realtime_admin;
create table if not exists realtime.check_subscription (id integer);

-- check: a policy of a table of Realtime's can be copied to a new one | role=supabase_admin | expect=ok
create table realtime.check_copied (id integer);
alter table realtime.check_copied enable row level security;
create policy service_role_sees_all on realtime.check_copied to service_role using (true);
drop table realtime.check_copied;

-- check: users add tables to Realtime's publication | role=supabase_admin | expect=ok
alter publication supabase_realtime add table public.check_notes;
alter publication supabase_realtime drop table public.check_notes;

-- check: Realtime makes a publication of its own | role=supabase_admin | expect=ok
create publication check_publication for table realtime.check_messages;
drop publication check_publication;

-- check: the administrator does not become the master user | role=supabase_admin | expect=error 42501
do $$ begin
  execute format('set local role %I', (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'supabase_bootstrap'));
end $$;

-- check: the administrator reads no files of the server | role=supabase_admin | expect=error 42501
select pg_read_file('/etc/passwd');

-- check: the administrator changes no server settings | role=supabase_admin | expect=error 42501
alter role supabase_admin set log_statement = 'none';

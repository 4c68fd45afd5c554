-- check: GoTrue makes its tables without naming the schema, secures them and grants them on | role=supabase_auth_admin | expect=ok
create table if not exists check_users (id uuid primary key default extensions.uuid_generate_v4(), email text);
alter table check_users enable row level security;
grant select on auth.check_users to postgres with grant option;
create or replace function check_uid() returns uuid language sql stable as 'select null::uuid';
create index if not exists check_users_email on check_users (email);
do $$ begin
  assert to_regclass('auth.check_users') is not null, 'the table is not in schema auth';
end $$;

-- check: GoTrue changes its own settings, as one of its migrations does | role=supabase_auth_admin | expect=ok
alter role supabase_auth_admin set idle_in_transaction_session_timeout to 60000;

-- check: GoTrue writes and reads what it made | role=supabase_auth_admin | expect=ok
insert into check_users (email) values ('one@example.com');
do $$ begin
  assert (select count(*) from check_users) > 0;
end $$;

-- check: policies may call functions of schema auth | role=authenticator | expect=ok
set local role authenticated;
select auth.check_uid();

-- check: users' tables are not the API's | role=authenticator | expect=error 42501
set local role service_role;
select * from auth.check_users;

-- check: GoTrue makes nothing in public | role=supabase_auth_admin | expect=error 42501
create table public.check_intruder (id integer);

-- check: GoTrue makes nothing in storage | role=supabase_auth_admin | expect=error 42501
create table storage.check_intruder (id integer);

-- check: GoTrue makes no schemas | role=supabase_auth_admin | expect=error 42501
create schema check_intruder;

-- check: GoTrue makes no roles | role=supabase_auth_admin | expect=error 42501
create role check_intruder;

-- check: GoTrue does not become a role of the API | role=supabase_auth_admin | expect=error 42501
set local role service_role;

-- check: GoTrue does not become the administrator | role=supabase_auth_admin | expect=error 42501
set local role supabase_admin;

-- check: GoTrue does not set another's password | role=supabase_auth_admin | expect=error 42501
alter role authenticator password 'x';

-- check: GoTrue's users, which it lets another role pass on | role=supabase_auth_admin | expect=ok
create table users (id uuid primary key default gen_random_uuid(), email text);
insert into users (email) select 'user' || number from generate_series(1, 50) as number;
alter table users enable row level security;
grant select on users to postgres with grant option;

-- check: Storage's objects, one of which reads like a statement | role=supabase_storage_admin | expect=ok
create table buckets (id text primary key);
insert into buckets values ('first');
alter table buckets enable row level security;
create table objects (name text, id bigint generated always as identity primary key, bucket text references buckets);
alter table objects enable row level security;
insert into objects (name, bucket) select 'SET SESSION AUTHORIZATION nobody;', 'first' from generate_series(1, 7);

-- check: a right that was handed on | role=supabase_admin | expect=ok
set local role postgres;
grant select on auth.users to dashboard_user;

-- check: partitions with row security of their own | role=supabase_admin | expect=ok
create table public.measured (id integer, part integer) partition by list (part);
create table public.measured_0 partition of public.measured for values in (0);
create table public.measured_1 partition of public.measured for values in (1);
insert into public.measured select number, number % 2 from generate_series(1, 20) as number;
alter table public.measured enable row level security;
alter table public.measured_0 enable row level security;
alter table public.measured_1 enable row level security;

-- check: a schema with an extension's type, a policy, forced row security and publications | role=supabase_admin | expect=ok
create extension citext with schema extensions;
create schema app;
create type app.mood as enum ('sad', 'ok');
create table app.notes (id serial primary key, email extensions.citext, mood app.mood, twice integer generated always as (2) stored);
insert into app.notes (email, mood) select 'A' || number, 'ok' from generate_series(1, 9) as number;
alter table app.notes enable row level security;
alter table app.notes force row level security;
create policy first_ones on app.notes for select to anon using (id < 3);
create policy all_of_them on app.notes to supabase_admin using (true);
grant usage on schema app to anon;
create view public.seen as select * from app.notes;
create materialized view public.counted as select count(*) as users from auth.users;
alter publication supabase_realtime add table app.notes;
create publication check_other for table public.measured;
alter default privileges in schema app grant select on tables to anon;

-- check: what was taken from the API | role=supabase_admin | expect=ok
create table public.secret (id integer primary key);
insert into public.secret values (1);
revoke all on public.secret from anon, authenticated, service_role;
create function public.add_one(number integer) returns integer language sql as 'select number + 1';
revoke execute on function public.add_one(integer) from public, anon;
comment on table public.secret is 'for the administrator''s eyes';

-- check: the master user's own table, closed to the API | role=master | expect=ok
create table public.owned (id integer);
insert into public.owned values (1), (2);
alter table public.owned enable row level security;
revoke all on public.owned from anon;
create schema closed;
create table closed.kept (id integer);
insert into closed.kept values (1), (2), (3);

-- check: a role made by hand | role=supabase_admin | expect=ok
create role reporting login password 'reporting-0123456789abcdef';
alter role reporting set search_path = app, public;
alter role reporting set work_mem = '8MB';
grant create, usage on schema app to reporting;

-- check: its table, which the master user does not own | role=reporting | expect=ok
create table app.sales (id integer primary key, amount numeric);
insert into app.sales select number, number from generate_series(1, 33) as number;
alter table app.sales enable row level security;

-- check: its right to make more is taken from it | role=supabase_admin | expect=ok
revoke create on schema app from reporting;

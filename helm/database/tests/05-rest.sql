-- check: PostgREST becomes each role of the API | role=authenticator | expect=ok
set local role anon;
select * from public.check_notes;
set local role authenticated;
select * from public.check_notes;
set local role service_role;
select * from public.check_notes;

-- check: PostgREST has no rights of its own | role=authenticator | expect=error 42501
select * from public.check_notes;

-- check: PostgREST does not become the administrator | role=authenticator | expect=error 42501
set local role supabase_admin;

-- check: PostgREST does not become GoTrue | role=authenticator | expect=error 42501
set local role supabase_auth_admin;

-- check: the API makes no tables | role=authenticator | expect=error 42501
set local role service_role;
create table public.check_intruder (id integer);

-- check: the API makes no schemas | role=authenticator | expect=error 42501
set local role service_role;
create schema check_intruder;

-- check: /graphql/v1 answers with an error in GraphQL's own form | role=authenticator | expect=ok
set local role anon;
do $$ begin
  assert graphql_public.graphql(query => '{ __typename }') ? 'errors' or exists (select from pg_extension where extname = 'pg_graphql');
end $$;

-- RDS has no pg_graphql. The placeholder makes /graphql/v1 answer with an error that says so, in GraphQL's own form.
do $$
begin
  if exists (select from pg_extension where extname = 'pg_graphql') then
    return;
  end if;
  create or replace function graphql_public.graphql(
    "operationName" text default null, query text default null, variables jsonb default null, extensions jsonb default null
  ) returns jsonb language sql immutable as $body$
    select jsonb_build_object('errors', jsonb_build_array(
      jsonb_build_object('message', 'GraphQL is not available: this database server does not offer pg_graphql')))
  $body$;
  grant execute on function graphql_public.graphql(text, text, jsonb, jsonb) to anon, authenticated, service_role;
end $$;

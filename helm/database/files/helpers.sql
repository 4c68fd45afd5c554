-- Functions and tables of this session only.

-- What was tried and whether the server allowed it.
create temporary table capability (
  name text primary key,
  allowed boolean not null,
  detail text
);

-- Makes a role that is not there; one that is keeps what it has.
create function pg_temp.ensure_role(role_name text, options text) returns void
language plpgsql as $$
begin
  if not exists (select from pg_roles where rolname = role_name) then
    execute format('create role %I %s', role_name, options);
  end if;
end $$;

-- Runs a statement that some servers refuse, and records the answer instead of failing.
create function pg_temp.attempt(capability_name text, statement text) returns boolean
language plpgsql as $$
declare
  granted boolean := true;
  reason text;
begin
  begin
    execute statement;
  exception
    when insufficient_privilege or undefined_object or undefined_file or feature_not_supported
      or cant_change_runtime_param or object_not_in_prerequisite_state or invalid_parameter_value then
      granted := false;
      reason := sqlerrm;
  end;
  insert into pg_temp.capability values (capability_name, granted, reason)
  on conflict (name) do update set allowed = excluded.allowed, detail = excluded.detail;
  return granted;
end $$;

-- Hands a schema to its owner, making it first where needed.
create function pg_temp.ensure_schema(schema_name text, owner_name text) returns void
language plpgsql as $$
begin
  if not exists (select from pg_namespace where nspname = schema_name) then
    execute format('create schema %I authorization %I', schema_name, owner_name);
  elsif (select pg_get_userbyid(nspowner) from pg_namespace where nspname = schema_name) <> owner_name then
    execute format('alter schema %I owner to %I', schema_name, owner_name);
  end if;
end $$;

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

-- Makes `member` a member of `granted`. From PostgreSQL 16 on, whether a member has a role's rights without SET ROLE is
-- kept in the membership: neither NOINHERIT on the member nor a plain GRANT changes what was granted before.
create function pg_temp.grant_role(granted text, member text, inherits boolean, administers boolean default false)
returns void language plpgsql as $$
declare
  foreign_grantor text;
begin
  if current_setting('server_version_num')::integer < 160000 then
    execute format('grant %I to %I', granted, member) || case when administers then ' with admin option' else '' end;
    return;
  end if;
  execute format('grant %I to %I with set true, inherit %s', granted, member, inherits::text)
    || case when administers then ', admin true' else '' end;
  if inherits then
    return;
  end if;
  -- One more grant, by somebody else, is enough to have the rights.
  for foreign_grantor in execute format(
    'select pg_get_userbyid(grantor) from pg_auth_members where roleid = %L::regrole and member = %L::regrole and inherit_option',
    quote_ident(granted), quote_ident(member))
  loop
    begin
      execute format('revoke inherit option for %I from %I granted by %I', granted, member, foreign_grantor);
    exception when insufficient_privilege then
      raise exception '% has the rights of % without SET ROLE, because % granted them', member, granted, foreign_grantor
        using hint = format('let %I run: revoke inherit option for %I from %I', foreign_grantor, granted, member);
    end;
  end loop;
end $$;

-- Once for each database of the template: what RDS lets members of its roles do, and PostgreSQL only superusers. RDS has
-- hooks in C for it; here functions of the administrator stand in for them.
\set ON_ERROR_STOP on
create schema rds_internal;
-- Names in it can be looked up, as there are none on RDS that could not.
grant usage on schema rds_internal to public;

-- rds_superuser may make event triggers: whoever made a function for one is a superuser until the end of the transaction,
-- and nobody else ever sees it. A function that was made in an earlier transaction does not help: a difference to RDS.
create table rds_internal.event_trigger_maker (role_name name not null);

create function rds_internal.admit_maker() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  maker name;
begin
  for maker in
    select distinct r.rolname
    from pg_event_trigger_ddl_commands() as made
      join pg_proc p on made.classid = 'pg_proc'::regclass and p.oid = made.objid
      join pg_roles r on r.oid = p.proowner
    where p.prorettype = 'event_trigger'::regtype and not r.rolsuper and pg_has_role(r.oid, 'rds_superuser', 'member')
  loop
    insert into rds_internal.event_trigger_maker values (maker);
    execute format('alter role %I superuser', maker);
  end loop;
end $$;

create function rds_internal.dismiss_maker() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter role %I nosuperuser', new.role_name);
  delete from rds_internal.event_trigger_maker where role_name = new.role_name;
  return null;
end $$;

create constraint trigger dismiss_maker after insert on rds_internal.event_trigger_maker
  deferrable initially deferred for each row execute function rds_internal.dismiss_maker();
create event trigger rds_event_triggers on ddl_command_end when tag in ('CREATE FUNCTION')
  execute function rds_internal.admit_maker();

-- Members of rds_replication may make replication slots: those that log in get the attribute at the next DDL statement.
create function rds_internal.follow_replication() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  member name;
begin
  for member in
    select rolname from pg_roles
    where rolcanlogin and not rolreplication and not rolsuper and pg_has_role(oid, 'rds_replication', 'member')
      and not pg_has_role(oid, 'rds_superuser', 'member')
  loop
    execute format('alter role %I replication', member);
  end loop;
end $$;
create event trigger rds_replication on ddl_command_end execute function rds_internal.follow_replication();

-- RDS shows nothing of its hooks: what belongs to an extension is not in a dump.
alter extension plpgsql add schema rds_internal;
alter extension plpgsql add table rds_internal.event_trigger_maker;
alter extension plpgsql add function rds_internal.admit_maker();
alter extension plpgsql add function rds_internal.dismiss_maker();
alter extension plpgsql add function rds_internal.follow_replication();
alter extension plpgsql add event trigger rds_event_triggers;
alter extension plpgsql add event trigger rds_replication;

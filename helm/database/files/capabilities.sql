-- What this server allows, as one line of JSON: the only output of the run.

-- A slot cannot be made in a transaction that has written, so this probe stands alone and leaves its answer in a setting.
do $$
begin
  perform set_config('supabase_bootstrap.slot', '', false);
  begin
    set local role supabase_admin;
    perform pg_create_logical_replication_slot('supabase_bootstrap_probe', 'wal2json', true);
    perform pg_drop_replication_slot('supabase_bootstrap_probe');
  exception when others then
    perform set_config('supabase_bootstrap.slot', sqlerrm, false);
  end;
  reset role;
end $$;

with known as (
  select
    (select rolbypassrls from pg_roles where rolname = 'service_role') as bypassrls,
    coalesce((select allowed from pg_temp.capability where name = 'event_triggers'), false) as event_triggers,
    coalesce((select allowed from pg_temp.capability where name = 'log_min_messages'), false) as log_min_messages,
    (select detail from pg_temp.capability where name = 'log_min_messages') as log_min_messages_detail,
    nullif(current_setting('supabase_bootstrap.slot'), '') as slot_error,
    current_setting('wal_level') as wal_level
), realtime as (
  select *,
    nullif(concat_ws('; ',
      case when wal_level <> 'logical' then format('wal_level is %s, not logical', wal_level) end,
      case when slot_error is not null then format('supabase_admin cannot make a logical replication slot: %s', slot_error) end,
      case when not log_min_messages then format('supabase_admin cannot run Realtime''s migrations: %s', log_min_messages_detail) end
    ), '') as reason,
    concat_ws('; ',
      case when wal_level <> 'logical' then 'set rds.logical_replication = 1 in the parameter group and reboot the instance' end,
      case when wal_level = 'logical' and slot_error is not null then 'offer the output plugin wal2json and let supabase_admin replicate (on RDS: grant rds_replication)' end,
      case when not log_min_messages then 'have a superuser run: grant set on parameter log_min_messages to supabase_admin; where there is none, set realtime.enabled to false in the overlay' end
    ) as fix
  from known
)
select jsonb_build_object(
  'ledger', (select jsonb_agg(step order by step) from supabase_bootstrap.ledger),
  'server_version', current_setting('server_version_num'),
  'bypassrls', bypassrls,
  'event_triggers', event_triggers,
  'log_min_messages', log_min_messages,
  'row_security', case
    when bypassrls then 'bypass'
    when exists (select from pg_event_trigger where evtname = 'supabase_cover_row_security') then 'event trigger'
    else 'schedule'
  end,
  -- The message of a Job has 4096 bytes.
  'hidden_tables', (select coalesce(jsonb_agg(left(format('%s of %s: %s', table_name, owner, reason), 150) order by table_name), '[]')
    from (select * from supabase_bootstrap.rows_hidden_from('service_role') order by table_name limit 10) as hidden),
  'read_all_data', coalesce((select allowed from pg_temp.capability where name = 'read_all_data'), false),
  'realtime', jsonb_build_object('enabled', reason is null, 'reason', coalesce(reason, ''), 'fix', coalesce(fix, ''))
)
from realtime;

-- Users add the tables that they want to hear of; Realtime reads the publication as supabase_admin.
do $$
begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if (select pg_get_userbyid(pubowner) from pg_publication where pubname = 'supabase_realtime') <> 'supabase_admin' then
    alter publication supabase_realtime owner to supabase_admin;
  end if;

  -- Realtime's migrations make a function with SET log_min_messages. PostgreSQL 15 and later can grant that.
  if current_setting('server_version_num')::integer >= 150000 then
    perform pg_temp.attempt('grant_log_min_messages', 'grant set on parameter log_min_messages to supabase_admin');
  end if;

  -- The proof is the thing itself, done as the role that will do it, and taken back.
  if pg_temp.attempt('log_min_messages', $probe$
    do $body$
    begin
      set local role supabase_admin;
      create function realtime.supabase_bootstrap_probe() returns void language sql
        set log_min_messages to 'fatal' as 'select';
      drop function realtime.supabase_bootstrap_probe();
      reset role;
    end $body$
  $probe$) then
    null;
  end if;
  reset role;
end $$;

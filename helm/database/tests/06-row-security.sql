-- check: new tables are covered when the schedule comes round | role=master | expect=ok
select supabase_bootstrap.cover_row_security();

-- check: a second time finds nothing to do | role=master | expect=ok
do $$ begin
  assert supabase_bootstrap.cover_row_security() = 0, 'policies were made twice';
end $$;

-- check: service_role and the dump see every row of every table | role=master | expect=ok
do $$ begin
  assert not exists (select from supabase_bootstrap.rows_hidden_from('service_role')), 'rows are hidden from service_role';
  assert not exists (select from supabase_bootstrap.missing_from_backup()), 'rows are hidden from the dump';
end $$;

-- check: service_role sees every row of Storage | role=authenticator | expect=ok
set local role service_role;
do $$ begin
  assert (select count(*) from storage.check_objects) = 1, 'service_role does not see the objects';
end $$;
update storage.check_objects set name = 'two' where id = 1;

-- check: service_role sees every row of the application's tables | role=authenticator | expect=ok
set local role service_role;
do $$ begin
  assert (select count(*) from public.check_secured) = 1, 'service_role does not see the rows';
end $$;

-- check: service_role sees the rows of a partition, by its own name too | role=authenticator | expect=ok
set local role service_role;
do $$ begin
  assert (select count(*) from public.check_parts) = 1, 'service_role does not see the rows';
  assert (select count(*) from public.check_parts_1) = 1, 'service_role does not see the rows of the partition';
end $$;

-- check: nobody else is let in by it | role=authenticator | expect=ok
set local role anon;
do $$ begin
  assert (select count(*) from public.check_secured) = 0, 'anon sees rows without a policy';
end $$;
set local role authenticated;
do $$ begin
  assert (select count(*) from storage.check_objects) = 0, 'authenticated sees objects without a policy';
end $$;

-- check: the dump reads every schema and every row | role=supabase_backup | expect=ok
do $$ begin
  assert (select count(*) from auth.check_users) > 0, 'users are missing from the dump';
  assert (select count(*) from storage.check_objects) = 1, 'objects are missing from the dump';
  assert (select count(*) from public.check_secured) = 1, 'secured rows are missing from the dump';
  assert (select count(*) from public.check_parts_1) = 1, 'the rows of a partition are missing from the dump';
  assert (select count(*) from check_owned.check_foreign) = 1, 'the rows of a role made by hand are missing from the dump';
end $$;
select * from realtime.check_messages;
select * from _realtime.check_tenants;
select * from supabase_bootstrap.ledger;

-- check: the dump's sessions are read-only | role=supabase_backup | expect=error 25006
insert into public.check_notes values (2, 'two');

-- check: the dump's role may not write even in a session that is not | role=supabase_backup | expect=error 42501
set transaction read write;
insert into public.check_notes values (2, 'two');

-- check: the dump's role becomes nobody else | role=supabase_backup | expect=error 42501
set local role service_role;

-- Runs the step named by the variable `step` in a transaction of its own and enters it into the ledger.
\set file :step .sql
begin;
\ir :file
insert into supabase_bootstrap.ledger as ledger (step, digest)
values (:'step', :'digest')
on conflict (step) do update
  set digest = excluded.digest, runs = ledger.runs + 1, applied_at = now();
commit;

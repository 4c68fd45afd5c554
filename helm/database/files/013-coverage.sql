-- Last, for the objects of every step and of every service that ran before.
select supabase_bootstrap.cover_row_security() as covered \gset

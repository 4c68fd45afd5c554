-- Where each role's unqualified names lead, and how long it may run.
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = storage;
alter role supabase_admin set search_path = "$user", public, extensions;
alter role postgres set search_path = "$user", public, extensions;

-- A request that takes longer than its role may wait is cut off, so that one caller cannot hold the pool.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

-- A dump holds its snapshot for as long as it takes.
alter role supabase_backup set statement_timeout = 0;

-- Sets the passwords of the roles that log in, each time: this is also how a rotation reaches the server.
-- They arrive as COPY data, and the server is told SCRAM verifiers only, so that neither log_statement nor pgaudit nor
-- a failing statement can write a password to a log.

create temporary table incoming_password (role_name text primary key, password text not null) on commit drop;
\copy incoming_password from pstdin

-- pgcrypto's functions, wherever it was installed.
select set_config('search_path', format('pg_catalog, %I', (
  select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pgcrypto'
)), true) as search_path \gset

-- RFC 5802 and 7677: the verifier that the server stores for SCRAM-SHA-256.
create or replace function pg_temp.scram_verifier(password text) returns text
language plpgsql as $$
declare
  iterations constant integer := 4096;
  secret constant bytea := convert_to(password, 'UTF8');
  salt constant bytea := gen_random_bytes(16);
  block bytea;
  accumulated bit(256);
  bits text;
  salted bytea;
  stored text;
  server text;
begin
  block := hmac(salt || '\x00000001'::bytea, secret, 'sha256');
  accumulated := ('x' || encode(block, 'hex'))::bit(256);
  for round in 2..iterations loop
    block := hmac(block, secret, 'sha256');
    accumulated := accumulated # ('x' || encode(block, 'hex'))::bit(256);
  end loop;
  bits := accumulated::text;
  select decode(string_agg(lpad(to_hex(substring(bits from byte * 8 + 1 for 8)::bit(8)::integer), 2, '0'), '' order by byte), 'hex')
    into salted from generate_series(0, 31) as byte;
  stored := encode(digest(hmac('Client Key'::bytea, salted, 'sha256'), 'sha256'), 'base64');
  server := encode(hmac('Server Key'::bytea, salted, 'sha256'), 'base64');
  return format('SCRAM-SHA-256$%s:%s$%s:%s', iterations, encode(salt, 'base64'), stored, server);
end $$;

do $$
declare
  entry record;
begin
  if (select count(*) from incoming_password) <> 5 then
    raise exception 'expected the passwords of 5 roles on standard input, got %', (select count(*) from incoming_password);
  end if;
  for entry in select * from incoming_password order by role_name loop
    execute format('alter role %I password %L', entry.role_name, pg_temp.scram_verifier(entry.password));
  end loop;
end $$;

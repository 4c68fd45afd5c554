-- Once, in the template: the roles that RDS for PostgreSQL comes with. None of them is a superuser.
create role rds_password nologin;
create role rds_replication nologin;
create role rds_iam nologin;
create role rds_superuser nologin in role pg_monitor, pg_signal_backend;
do $$
begin
  if exists (select from pg_roles where rolname = 'pg_checkpoint') then
    grant pg_checkpoint to rds_superuser;
  end if;
end
$$;
grant rds_password, rds_replication to rds_superuser with admin option;

-- For each instance: its master user and, if the API call named one, its database.
\set ON_ERROR_STOP on
\getenv master MASTER_USERNAME
\getenv password MASTER_PASSWORD
\getenv database DATABASE_NAME

-- What RDS gives a master user: CREATEROLE and CREATEDB, but neither SUPERUSER nor REPLICATION.
create role :"master" login createrole createdb password :'password' in role rds_superuser;
alter database postgres owner to :"master";
select :'database' <> '' and :'database' <> 'postgres' as wanted
\gset
\if :wanted
create database :"database" owner :"master";
\endif

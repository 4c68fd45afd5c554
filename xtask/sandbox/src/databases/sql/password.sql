-- What ModifyDBInstance does with a new master password.
\set ON_ERROR_STOP on
\getenv master MASTER_USERNAME
\getenv password MASTER_PASSWORD
alter role :"master" password :'password';

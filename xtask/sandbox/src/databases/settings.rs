//! The configuration files of a server.

use std::fmt::Write as _;

use super::Files;

/// What the sandbox's own administrator is called, as on RDS.
pub(super) const ADMINISTRATOR: &str = "rdsadmin";

/// `postgresql.conf`. Small, because many servers may share a laptop; not durable, because the data
/// ends with the sandbox; silent about statements, because they hold passwords.
pub(super) fn configuration(files: &Files, port: u16, logical_replication: bool) -> String {
    let wal_level = if logical_replication { "logical" } else { "replica" };
    format!(
        "data_directory = {data}\n\
         hba_file = {hba}\n\
         ident_file = {ident}\n\
         external_pid_file = {pid}\n\
         listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         unix_socket_directories = ''\n\
         ssl = on\n\
         ssl_cert_file = {certificate}\n\
         ssl_key_file = {key}\n\
         password_encryption = 'scram-sha-256'\n\
         wal_level = {wal_level}\n\
         max_connections = 100\n\
         max_wal_senders = 10\n\
         max_replication_slots = 10\n\
         shared_buffers = '16MB'\n\
         max_wal_size = '128MB'\n\
         fsync = off\n\
         full_page_writes = off\n\
         synchronous_commit = off\n\
         jit = off\n\
         timezone = 'UTC'\n\
         log_line_prefix = '%m [%p] %u@%d '\n\
         log_statement = 'none'\n\
         log_min_error_statement = 'panic'\n",
        data = quoted(&files.data().to_string_lossy()),
        ident = quoted(&files.data().join("pg_ident.conf").to_string_lossy()),
        hba = quoted(&files.access().to_string_lossy()),
        pid = quoted(&files.pid().to_string_lossy()),
        certificate = quoted(&files.certificate().to_string_lossy()),
        key = quoted(&files.key().to_string_lossy()),
    )
}

/// What makes a server a hot standby of another one.
pub(super) fn standby(files: &Files, primary_port: u16) -> String {
    let connection = format!(
        "host=127.0.0.1 port={primary_port} user={ADMINISTRATOR} passfile='{}' sslmode=require",
        files.password_file().to_string_lossy()
    );
    format!("hot_standby = on\nprimary_conninfo = {}\n", quoted(&connection))
}

/// `pg_hba.conf`. With `rds.force_ssl` a connection without TLS finds no entry, which is the very
/// error that RDS gives.
pub(super) fn access(force_tls: bool) -> String {
    let kind = if force_tls { "hostssl" } else { "host" };
    let mut text = String::new();
    for database in ["all", "replication"] {
        let user = if database == "all" { "all" } else { ADMINISTRATOR };
        let _ = writeln!(text, "{kind} {database} {user} 127.0.0.1/32 scram-sha-256");
    }
    text
}

/// A value as PostgreSQL's configuration file takes it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_folder_with_a_quote_stays_one_value() {
        let files = Files::new(Path::new("/it's"));
        assert!(configuration(&files, 1, true).contains("data_directory = '/it''s/data'"));
    }

    #[test]
    fn forced_tls_leaves_no_entry_without_it() {
        assert!(access(true).lines().all(|line| line.starts_with("hostssl ")));
        assert!(access(false).lines().all(|line| line.starts_with("host ")));
    }
}

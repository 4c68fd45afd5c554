//! The data that a server starts with: a copy of a prepared template, or of a running server.

use anyhow::Context;

use super::{
    Environment,
    server::{Files, Kind, Server},
    settings::ADMINISTRATOR,
};

/// Makes a stopped server's data with RDS's roles in it.
pub(super) fn make(environment: &Environment) -> anyhow::Result<Files> {
    let files = Files::new(&environment.place.join("_template"));
    environment.owner.create_folder(files.folder())?;
    // `initdb` takes a password from a file only.
    let password_file = files.folder().join("password");
    environment.write(&password_file, environment.administrator_password.expose().as_bytes())?;
    environment
        .program("initdb")
        .arg(format!("--pgdata={}", files.data().display()))
        .arg(format!("--username={ADMINISTRATOR}"))
        .arg(format!("--pwfile={}", password_file.display()))
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .args(["--wal-segsize=1"])
        .purpose("make the template of the databases")
        .log_to(environment.folder.log("database-template"))
        .run_quietly()?;
    std::fs::remove_file(&password_file).context("failed to remove the password file")?;
    let kind = Kind { force_tls: true, logical_replication: true, primary: None };
    let server = Server::start(environment, files, kind, "template")?;
    let roles = include_str!("sql/roles.sql");
    let rights = include_str!("sql/rds.sql");
    // `template1` is what new databases are copied from.
    let script = format!("{roles}\n{rights}\n\\connect template1\n{rights}");
    let made = server.run_script(environment, "make the roles of RDS", &script, &[], None);
    let files = server.stop(environment)?;
    made.map(|()| files)
}

/// Copies the data of a running server, to follow it from there on.
pub(super) fn copy_running(
    environment: &Environment,
    port: u16,
    files: &Files,
) -> anyhow::Result<()> {
    environment
        .program("pg_basebackup")
        .secret_env("PGPASSWORD", &environment.administrator_password)
        .env("PGSSLMODE", "require")
        .arg(format!("--pgdata={}", files.data().display()))
        .args([
            "--host=127.0.0.1",
            &format!("--port={port}"),
            &format!("--username={ADMINISTRATOR}"),
        ])
        .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"])
        .purpose("copy the primary of a replica")
        .run_quietly()?;
    Ok(())
}

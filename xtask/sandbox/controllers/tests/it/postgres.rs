//! A real PostgreSQL that forces TLS, for one test.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use xtask_tools::{Command, Daemon, NoDownload, Processes, Toolbox};

/// The folder of PostgreSQL's programs.
pub(crate) fn bin() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools");
    let toolbox = Toolbox::new(tools, Processes::default(), Arc::new(NoDownload));
    toolbox.ensure("postgresql").unwrap().folder().to_owned()
}

/// A running server; dropping it stops it.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    /// The certificate, which is its own authority.
    pub(crate) certificate: String,
    daemon: Daemon,
    _folder: TempDir,
}

pub(crate) const PASSWORD: &str = "0123456789abcdef";

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let processes = Processes::default();
        // PostgreSQL refuses to run as root.
        let owner = is_root().then_some((65534, 65534));
        let command = |program: &str| -> Command {
            let command = processes.command(bin().join(program)).cwd("/");
            match owner {
                Some((user, group)) => command.run_as(user, group),
                None => command,
            }
        };
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        own(folder.path(), owner);
        own(&data, owner);
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        own(&password, owner);
        command("initdb")
            .arg(format!("--pgdata={}", data.display()))
            .args(["--username=rdsadmin", "--auth=scram-sha-256", "--no-sync"])
            .arg(format!("--pwfile={}", password.display()))
            .run_quietly()
            .unwrap();
        let certificate = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate_pem = certificate.cert.pem();
        for (name, text) in [
            ("server.crt", &certificate_pem),
            ("server.key", &certificate.signing_key.serialize_pem()),
        ] {
            let path = data.join(name);
            std::fs::write(&path, text).unwrap();
            restrict(&path);
            own(&path, owner);
        }
        let access = data.join("pg_hba.conf");
        std::fs::write(&access, "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        own(&access, owner);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let daemon = command("postgres")
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                &format!("port={port}"),
                "-c",
                "ssl=on",
            ])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off"])
            .log_to(folder.path().join("log"))
            .spawn_daemon()
            .unwrap();
        let postgres = Self { port, certificate: certificate_pem, daemon, _folder: folder };
        let until = Instant::now() + Duration::from_secs(20);
        let ready = processes.command(bin().join("pg_isready")).args([
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ]);
        while let Err(error) = ready.run_quietly() {
            let log = std::fs::read_to_string(postgres._folder.path().join("log"));
            assert!(
                Instant::now() < until,
                "PostgreSQL did not come up: {error}\n{}",
                log.unwrap_or_default()
            );
        }
        postgres
    }

    /// Runs SQL as the superuser.
    pub(crate) fn run(&self, sql: &str) {
        Processes::default()
            .command(bin().join("psql"))
            .args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-d",
                "postgres",
                "-U",
                "rdsadmin",
                "-f",
                "-",
            ])
            .args(["-p", &self.port.to_string()])
            .env("PGPASSWORD", PASSWORD)
            .stdin(sql)
            .run_quietly()
            .unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.daemon.stop(Duration::from_secs(10)).unwrap();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn own(path: &Path, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

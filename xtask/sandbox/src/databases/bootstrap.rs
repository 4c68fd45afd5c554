//! The SQL of `helm/database` on a real server, run as its Job runs it: by `run.sh`, as a master
//! user who is no superuser, over TLS with the server's certificate verified.
//!
//! What has to hold afterwards is written in `helm/database/tests`, whose README has the format.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use tempfile::TempDir;
use xtask_tools::{Command, NoDownload, Processes, Secret, Toolbox};

use super::{Address, Databases, Request};
use crate::{daemon::Authority, folder::Folder, records::Records};

pub(super) const MASTER: &str = "supabase_master";
/// The roles that `run.sh` gives passwords to.
const ROLES: [&str; 5] = [
    "authenticator",
    "supabase_auth_admin",
    "supabase_storage_admin",
    "supabase_admin",
    "supabase_backup",
];

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn scripts() -> PathBuf {
    root().join("helm/database/files")
}

/// Whether the server lets its master user make event triggers. RDS does, and others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum New {
    /// Objects are covered at once.
    AtOnce,
    /// Objects are covered when the schedule comes round.
    OnSchedule,
}

pub(super) const BOTH: [New; 2] = [New::AtOnce, New::OnSchedule];

fn password(role: &str) -> Secret {
    Secret::new(format!("{role}-0123456789abcdef"))
}

/// Servers that end with the test.
pub(super) struct Servers {
    databases: Databases,
    programs: PathBuf,
    authority: PathBuf,
    pub(super) folder: TempDir,
}

impl Servers {
    pub(super) fn new() -> Self {
        // PostgreSQL's own user has to pass through.
        let passable = fs::Permissions::from_mode(0o711);
        let folder = tempfile::Builder::new().permissions(passable).tempdir().unwrap();
        let state = Folder::new(&folder.path().join("state")).unwrap();
        state.create().unwrap();
        let processes = Processes::default();
        let tools = root().join("target/tools");
        let toolbox = Toolbox::new(tools, processes.clone(), Arc::new(NoDownload));
        let programs = toolbox.ensure("postgresql").unwrap().folder().to_owned();
        let authority = Authority::new().unwrap();
        let file = folder.path().join("authority.pem");
        fs::write(&file, authority.certificate_pem()).unwrap();
        let records = Records::start(&state).unwrap();
        let certificate = authority.issue().unwrap();
        let databases = Databases::new(&state, &programs, processes, records, certificate).unwrap();
        Self { databases, programs, authority: file, folder }
    }

    pub(super) fn create(&self, identifier: &str, new: New) -> Instance<'_> {
        let request = Request {
            identifier: identifier.to_owned(),
            master_username: MASTER.to_owned(),
            master_password: password(MASTER),
            database_name: Some("supabase".to_owned()),
            force_tls: true,
            logical_replication: true,
        };
        let address = self.databases.create(&request).unwrap();
        let instance = Instance { servers: self, identifier: request.identifier, address };
        if new == New::OnSchedule {
            instance.administer("alter event trigger rds_event_triggers disable;");
        }
        instance
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.databases.stop_all().unwrap();
    }
}

/// One server, as RDS hands it over.
pub(super) struct Instance<'a> {
    servers: &'a Servers,
    identifier: String,
    address: Address,
}

impl Instance<'_> {
    /// Runs SQL in the database as AWS's own administrator.
    pub(super) fn administer(&self, sql: &str) {
        let instances = self.servers.databases.instances();
        let server = &instances[&self.identifier].server;
        let script = format!("\\connect supabase\n{sql}");
        let environment = &self.servers.databases.0.environment;
        server.run_script(environment, "administer a database", &script, &[], None).unwrap();
    }

    /// The whole database as SQL, as the administrator sees it, without what one run of the bootstrap differs in from
    /// the next.
    pub(super) fn text(&self) -> String {
        let password = &self.servers.databases.0.environment.administrator_password;
        let command = self.session("pg_dump", super::settings::ADMINISTRATOR);
        let command = command.secret_env("PGPASSWORD", password);
        let text = command.arg("--exclude-table-data=supabase_bootstrap.ledger").output().unwrap();
        // A key that differs from dump to dump.
        let same =
            |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
        text.lines().filter(same).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn session(&self, program: &str, role: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        Processes::default()
            .command(program)
            .env("PATH", format!("{}:{path}", self.servers.programs.display()))
            .env("PGHOST", &self.address.address)
            .env("PGPORT", self.address.port.to_string())
            .env("PGDATABASE", "supabase")
            .env("PGUSER", role)
            .secret_env("PGPASSWORD", &password(role))
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", &self.servers.authority)
    }

    /// Runs the Job's script; its report, or what it said.
    fn bootstrap(&self, scripts: &Path, authority: &Path) -> Result<Value, String> {
        let report = self.servers.folder.path().join("report");
        let mut command = self
            .session("sh", MASTER)
            .arg(scripts.join("run.sh"))
            .env("BOOTSTRAP_DIR", scripts)
            .env("BOOTSTRAP_DIGEST", "test")
            .env("TERMINATION_LOG", &report)
            .env("PGSSLROOTCERT", authority);
        for role in ROLES {
            let name = format!("{}_PASSWORD", role.to_uppercase());
            command = command.secret_env(&name, &password(role));
        }
        let mut said = String::new();
        let ended = command.run(&mut |line| {
            said.push_str(line.text);
            said.push('\n');
        });
        ended.map_err(|_| said)?;
        Ok(serde_json::from_slice(&fs::read(&report).unwrap()).unwrap())
    }

    pub(super) fn must_bootstrap(&self) -> Value {
        self.bootstrap(&scripts(), &self.servers.authority).unwrap()
    }

    /// Every check of `helm/database/tests`, in their order.
    fn assert_checks(&self) {
        let checks = checks(&root().join("helm/database/tests"));
        assert!(checks.len() > 30, "only {} checks were found", checks.len());
        self.assert_each(&checks);
    }

    pub(super) fn assert_each(&self, checks: &[Check]) {
        let wrong: Vec<_> = checks.iter().filter_map(|check| self.refuted(check)).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Why a check does not hold.
    fn refuted(&self, check: &Check) -> Option<String> {
        let role = if check.role == "master" { MASTER } else { &check.role };
        let end = if check.error.is_some() { "rollback" } else { "commit" };
        let mut said = String::new();
        let finished = self
            .session("psql", role)
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-f", "-"])
            .stdin(format!("begin;\n{}\n{end};\n", check.sql))
            .allow_codes(&[0, 1, 2, 3])
            .run(&mut |line| {
                said.push_str(line.text);
                said.push('\n');
            })
            .unwrap();
        let holds = match &check.error {
            None => finished.code == 0,
            // As psql says it: `ERROR:  42501: permission denied ...`
            Some(code) => finished.code == 3 && said.contains(&format!("ERROR:  {code}:")),
        };
        let Check { place, sentence, .. } = check;
        (!holds).then(|| {
            format!("{place}: {sentence} (as {role}): psql ended with {}: {said}", finished.code)
        })
    }
}

/// One header of `helm/database/tests` and the statements below it.
#[derive(Debug)]
pub(super) struct Check {
    /// `05-rest.sql:12`.
    place: String,
    sentence: String,
    role: String,
    /// The SQLSTATE that it has to fail with; none where it has to succeed.
    error: Option<String>,
    sql: String,
}

/// The checks of all files in a folder.
pub(super) fn checks(folder: &Path) -> Vec<Check> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .collect();
    files.sort();
    let mut checks: Vec<Check> = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for (index, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            if let Some(header) = line.strip_prefix("-- check: ") {
                checks.push(parse_header(place, header));
            } else {
                let check = checks.last_mut().unwrap_or_else(|| panic!("{place}: no header yet"));
                check.sql.push_str(line);
                check.sql.push('\n');
            }
        }
    }
    checks
}

fn parse_header(place: String, header: &str) -> Check {
    let parts: Vec<_> = header.split(" | ").collect();
    let [sentence, role, expected] = parts[..] else { panic!("{place}: not a header: {header}") };
    let role = role.strip_prefix("role=").unwrap_or_else(|| panic!("{place}: no role"));
    let error = match expected.strip_prefix("expect=") {
        Some("ok") => None,
        Some(error) => match error.strip_prefix("error ") {
            Some(code) if code.len() == 5 => Some(code.to_owned()),
            _ => panic!("{place}: `{error}` is neither `ok` nor `error SQLSTATE`"),
        },
        None => panic!("{place}: no expectation"),
    };
    Check { place, sentence: sentence.to_owned(), role: role.to_owned(), error, sql: String::new() }
}

#[test]
fn each_service_does_what_it_needs_and_no_more() {
    let servers = Servers::new();
    for (name, new, expected) in
        [("at-once", New::AtOnce, "event trigger"), ("on-schedule", New::OnSchedule, "schedule")]
    {
        let instance = servers.create(name, new);
        let first = instance.must_bootstrap();
        assert_eq!(first["ledger"].as_array().unwrap().len(), 13, "{first}");
        assert_eq!(first["row_security"], expected, "{first}");
        assert_eq!(first["event_triggers"], new == New::AtOnce, "{first}");
        instance.assert_checks();
        assert_eq!(instance.must_bootstrap(), first, "a second run reports something else");
        instance.assert_checks();
    }
}

#[test]
fn a_half_finished_bootstrap_is_finished_by_the_next() {
    let servers = Servers::new();
    for (broken, new) in [
        ("003-memberships.sql", New::AtOnce),
        ("007-passwords.sql", New::OnSchedule),
        ("011-realtime.sql", New::OnSchedule),
        ("012-event-triggers.sql", New::AtOnce),
    ] {
        let instance = servers.create(&format!("half-{}", &broken[..3]), new);
        let copy = servers.folder.path().join(broken);
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(scripts()).unwrap() {
            let from = entry.unwrap().path();
            let to = copy.join(from.file_name().unwrap());
            let mut text = fs::read_to_string(&from).unwrap();
            if from.ends_with(broken) {
                text.push_str("\nselect 1 / 0;\n");
            }
            fs::write(to, text).unwrap();
        }
        let said = instance.bootstrap(&copy, &servers.authority).unwrap_err();
        assert!(said.contains("division by zero"), "{said}");
        instance.must_bootstrap();
        instance.assert_checks();
    }
}

/// What a person may have made before the first run, with the rights that PostgreSQL 16 and later keep in memberships.
#[test]
fn roles_made_by_hand_get_the_rights_they_are_meant_to_have() {
    let servers = Servers::new();
    let instance = servers.create("by-hand", New::AtOnce);
    instance.administer(&format!("grant pg_read_all_data to {MASTER} with admin option;"));
    let made = "create role anon; create role authenticated; create role service_role; create role authenticator login; \
                create role supabase_storage_admin login; create role supabase_backup login noinherit; \
                grant anon, authenticated, service_role to authenticator, supabase_storage_admin with inherit true; \
                grant pg_read_all_data to supabase_backup with inherit false;";
    instance.session("psql", MASTER).args(["-X", "-q", "-c", made]).run_quietly().unwrap();
    let report = instance.must_bootstrap();
    assert_eq!(report["read_all_data"], true, "{report}");
    instance.assert_checks();
}

#[test]
fn rights_that_the_master_user_cannot_take_away_are_named() {
    let servers = Servers::new();
    let instance = servers.create("out-of-reach", New::AtOnce);
    instance.must_bootstrap();
    instance.administer("grant service_role to authenticator with inherit true;");
    let said = instance.bootstrap(&scripts(), &servers.authority).unwrap_err();
    let expected = "authenticator has the rights of service_role without SET ROLE, because rdsadmin granted them";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_server_that_nobody_vouches_for_gets_no_password() {
    let servers = Servers::new();
    let instance = servers.create("impostor", New::AtOnce);
    let other = servers.folder.path().join("other.pem");
    fs::write(&other, Authority::new().unwrap().certificate_pem()).unwrap();
    let said = instance.bootstrap(&scripts(), &other).unwrap_err();
    let expected =
        "the certificate of 127.0.0.1 is not signed by any authority of database.caBundle";
    assert!(said.contains(expected), "{said}");
}

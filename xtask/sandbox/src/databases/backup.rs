//! The backup of `helm/supabase` on real servers, by the scripts of its CronJob, and the way back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::bootstrap::{BOTH, Instance, MASTER, New, Servers, checks, root};

fn scripts() -> PathBuf {
    root().join("helm/supabase/files/backup")
}

/// Runs a script of the chart; what it said, and whether it did its work.
fn run(
    instance: &Instance<'_>,
    role: &str,
    script: &str,
    arguments: &[&Path],
) -> Result<String, String> {
    let mut command = instance.session("sh", role).arg(scripts().join(script));
    for argument in arguments {
        command = command.arg(argument);
    }
    if let Some(folder) = arguments.first().and_then(|file| file.parent()) {
        command = command.env("DUMP_DIR", folder);
    }
    let mut said = String::new();
    let ended = command.run(&mut |line| {
        said.push_str(line.text);
        said.push('\n');
    });
    match ended {
        Ok(_) => Ok(said),
        Err(_) => Err(said),
    }
}

/// The files of a dump.
struct Dump {
    database: PathBuf,
    roles: PathBuf,
}

impl Dump {
    fn within(servers: &Servers, name: &str) -> Self {
        let folder = servers.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { database: folder.join("database.dump"), roles: folder.join("roles.sql") }
    }

    fn take(&self, instance: &Instance<'_>) -> Result<String, String> {
        run(instance, "supabase_backup", "dump.sh", &[&self.database])
    }

    fn restore(&self, instance: &Instance<'_>) -> Result<String, String> {
        run(instance, MASTER, "restore.sh", &[&self.database, &self.roles])
    }
}

fn sql(instance: &Instance<'_>, role: &str, text: &str) -> String {
    let session = instance.session("psql", role);
    session.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text]).output().unwrap()
}

fn cover(instance: &Instance<'_>) {
    sql(instance, MASTER, "select supabase_bootstrap.cover_row_security()");
}

/// A bootstrapped server with what a backup is tested on.
fn filled<'a>(servers: &'a Servers, name: &str, new: New) -> Instance<'a> {
    let instance = servers.create(name, new);
    instance.must_bootstrap();
    instance.assert_each(&checks(&root().join("helm/database/tests/backup")));
    instance
}

#[test]
fn a_backup_holds_every_row_and_comes_back() {
    let servers = Servers::new();
    for source in BOTH {
        let from = filled(&servers, &format!("from-{source:?}"), source);
        if source == New::OnSchedule {
            cover(&from);
        }
        let dump = Dump::within(&servers, &format!("dump-{source:?}"));
        dump.take(&from).unwrap();
        for target in BOTH {
            let to = servers.create(&format!("{source:?}-to-{target:?}"), target);
            to.must_bootstrap();
            let said = dump.restore(&to).unwrap();
            assert!(!said.contains("left out") && !said.contains("will fail"), "{said}");
            assert_same(&lines(&from.text()), &lines(&to.text()));
            let settings = "select rolname, rolconfig from pg_roles where rolname !~ '^(pg_|rds)' order by rolname";
            assert_eq!(sql(&to, MASTER, settings), sql(&from, MASTER, settings));
            dump.take(&to).unwrap();
        }
    }
}

/// Every row and every statement, in an order of their own: grants come in the order in which they were made. Without the
/// event triggers, which the bootstrap makes on one kind of server.
fn lines(text: &str) -> Vec<&str> {
    let parts = text.split("\n\n").filter(|part| !part.contains("EVENT TRIGGER"));
    let mut lines: Vec<_> = parts.flat_map(str::lines).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines
}

fn assert_same(from: &[&str], to: &[&str]) {
    let only = |one: &[&str], other: &[&str]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).map(|line| (*line).to_owned()).collect()
    };
    assert!(from == to, "lost: {:#?}\ngained: {:#?}", only(from, to), only(to, from));
    assert!(from.len() > 1000, "only {} lines were compared", from.len());
}

/// pg_dump would end well, and leave the rows out.
#[test]
fn a_backup_that_would_lack_rows_names_their_tables_and_fails() {
    let servers = Servers::new();
    let instance = filled(&servers, "uncovered", New::OnSchedule);
    let dump = Dump::within(&servers, "uncovered-dump");
    let said = dump.take(&instance).unwrap_err();
    for table in ["auth.users", "storage.objects", "public.measured_1", "app.sales", "public.owned"]
    {
        let line = format!("{table} of ");
        assert!(said.contains(&line), "{table} is not named: {said}");
    }
    assert!(!dump.database.exists(), "there is a dump");

    cover(&instance);
    dump.take(&instance).unwrap();

    let restrictive = "create policy own_only on app.notes as restrictive using (id = 1)";
    sql(&instance, "supabase_admin", restrictive);
    let said = dump.take(&instance).unwrap_err();
    let expected =
        "app.notes of supabase_admin: the restrictive policy own_only applies to supabase_backup";
    assert!(said.contains(expected), "{said}");
    sql(&instance, "supabase_admin", "alter policy own_only on app.notes to anon, authenticated");
    dump.take(&instance).unwrap();

    instance.administer(
        "create role stranger; create table public.strange (id integer); alter table public.strange owner to stranger; \
         alter table public.strange enable row level security; grant select on public.strange to supabase_backup;",
    );
    cover(&instance);
    let said = dump.take(&instance).unwrap_err();
    let expected = "public.strange of stranger: no policy admits supabase_backup to every row";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_restore_wants_a_prepared_and_empty_database_and_is_all_or_nothing() {
    let servers = Servers::new();
    let from = filled(&servers, "origin", New::AtOnce);
    from.administer(&format!(
        "alter role {MASTER} superuser; set role {MASTER}; create publication whole for tables in schema app; reset role; \
         alter role {MASTER} nosuperuser;"
    ));
    let dump = Dump::within(&servers, "origin-dump");
    dump.take(&from).unwrap();
    let said = dump.restore(&from).unwrap_err();
    assert!(said.contains("supabase has to be empty, but there are"), "{said}");

    let to = servers.create("target", New::AtOnce);
    let said = dump.restore(&to).unwrap_err();
    assert!(said.contains("the bootstrap has not prepared supabase"), "{said}");
    to.must_bootstrap();
    let before = to.text();
    let whole = fs::read(&dump.database).unwrap();
    fs::write(&dump.database, &whole[..whole.len() - 3000]).unwrap();
    dump.restore(&to).unwrap_err();
    assert_eq!(to.text(), before, "half of a dump was restored");
    fs::write(&dump.database, &whole).unwrap();
    let said = dump.restore(&to).unwrap();
    let expected = "left out, because it needs a superuser: PUBLICATION TABLES IN SCHEMA app whole";
    assert!(said.contains(expected), "{said}");
}

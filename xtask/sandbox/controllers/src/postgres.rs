//! Logging in to PostgreSQL as a Supabase service would, by the real `psql`.
//!
//! Passwords reach psql by its environment alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use xtask_tools::CommandFailure;

use crate::kubelet::images::{Database, Driver};
use crate::mounts::Mounts;
use crate::process;

const DEADLINE: Duration = Duration::from_secs(20);

/// How one service logs in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    password: String,
    pub(crate) name: String,
    tls: Tls,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tls {
    /// An sslmode of libpq.
    mode: String,
    ca: Option<PathBuf>,
}

impl Login {
    /// The login that a program with `settings` makes of its environment.
    pub(crate) fn from_env(
        settings: &Database,
        env: &BTreeMap<String, String>,
        mounts: &Mounts,
    ) -> Result<Self, String> {
        let (url, query) = match &settings.url {
            Some(name) => {
                let url = Url::parse(required(env, name)?)
                    .map_err(|error| format!("{name} is no URL: {error}"))?;
                let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
                (url, query)
            }
            None => (from_parts(settings, env)?, BTreeMap::new()),
        };
        let decoded = |text: &str| {
            let bytes = percent_decode(text);
            String::from_utf8(bytes).map_err(|_| "the database login is not UTF-8".to_owned())
        };
        Ok(Self {
            host: url.host_str().unwrap_or("localhost").trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(5432),
            user: decoded(url.username())?,
            password: decoded(url.password().unwrap_or_default())?,
            name: decoded(url.path().trim_start_matches('/'))?,
            tls: tls(settings.driver, env, &query, mounts)?,
        })
    }

    /// A login whose parts are known; TLS is demanded without looking at the certificate, or not used.
    pub(crate) fn plain(
        (host, port): (String, String),
        (user, password): (String, String),
        name: String,
        tls: bool,
    ) -> Result<Self, String> {
        let number = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        let mode = if tls { "require" } else { "disable" }.to_owned();
        Ok(Self { host, port: number, user, password, name, tls: Tls { mode, ca: None } })
    }

    /// Runs `sql` with psql, unaligned and without headers; the error is PostgreSQL's own text.
    pub(crate) async fn query(&self, bin: &Path, sql: String) -> Result<String, String> {
        let mut env = BTreeMap::from([
            ("PGHOST".to_owned(), self.host.clone()),
            ("PGPORT".to_owned(), self.port.to_string()),
            ("PGUSER".to_owned(), self.user.clone()),
            ("PGPASSWORD".to_owned(), self.password.clone()),
            ("PGDATABASE".to_owned(), self.name.clone()),
            ("PGSSLMODE".to_owned(), self.tls.mode.clone()),
            ("PGCONNECT_TIMEOUT".to_owned(), "5".to_owned()),
            ("PGAPPNAME".to_owned(), "supabase sandbox".to_owned()),
            // Neither a password file nor a service file of the person who runs the sandbox.
            ("HOME".to_owned(), "/nonexistent".to_owned()),
        ]);
        // Without one libpq would look for a CA bundle in the home folder.
        let ca = self.tls.ca.as_ref().map(|ca| ca.to_string_lossy().into_owned());
        env.insert(
            "PGSSLROOTCERT".to_owned(),
            ca.unwrap_or_else(|| "/nonexistent/root.crt".to_owned()),
        );
        let command = process::clean(&bin.join("psql"), &env)
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"])
            .stdin(sql)
            .timeout(DEADLINE)
            .grace(Duration::from_secs(1));
        let ended = tokio::task::spawn_blocking(move || command.output()).await;
        match ended {
            Ok(Ok(text)) => Ok(text.trim_end().to_owned()),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err("psql was stopped".to_owned()),
        }
    }

    /// Proves the login; the error is one line.
    pub(crate) async fn prove(&self, bin: &Path) -> Result<(), String> {
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();";
        match self.query(bin, sql.to_owned()).await {
            Ok(tls) if tls == "t" => Ok(()),
            Ok(_) => Err(format!("the connection of {self:?} is not encrypted")),
            Err(error) => Err(error),
        }
    }
}

/// The last error that psql printed.
fn describe(error: &anyhow::Error) -> String {
    match error.downcast_ref::<CommandFailure>() {
        Some(failure) => {
            let said = failure.tail.iter().rev().find(|line| line.contains("FATAL:"));
            let said =
                said.or_else(|| failure.tail.iter().rev().find(|line| line.contains("ERROR:")));
            let said = said.map(String::as_str).or_else(|| failure.reason());
            said.map_or_else(
                || failure.to_string(),
                |line| line.trim_start_matches("psql: error: ").to_owned(),
            )
        }
        None => format!("{error:#}"),
    }
}

fn required<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Result<&'a String, String> {
    env.get(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} is not set"))
}

fn from_parts(settings: &Database, env: &BTreeMap<String, String>) -> Result<Url, String> {
    let part = |name: &Option<String>| match name {
        Some(name) => required(env, name).cloned(),
        None => Err("the table of images names no variable for the database".to_owned()),
    };
    let mut url = Url::parse("postgres://host/").map_err(|error| error.to_string())?;
    let host = part(&settings.host)?;
    url.set_host(Some(&host)).map_err(|_| format!("`{host}` is no host name"))?;
    let port = part(&settings.port)?;
    let number = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    let unusable = |()| format!("`{host}` cannot carry a login");
    url.set_port(Some(number)).map_err(unusable)?;
    url.set_username(&part(&settings.user)?).map_err(unusable)?;
    url.set_password(Some(&part(&settings.password)?)).map_err(unusable)?;
    url.set_path(&part(&settings.name)?);
    Ok(url)
}

/// What each client library makes of its TLS settings, in the words of libpq.
fn tls(
    driver: Driver,
    env: &BTreeMap<String, String>,
    query: &BTreeMap<String, String>,
    mounts: &Mounts,
) -> Result<Tls, String> {
    let file = |path: &str| mounts.local(path).unwrap_or_else(|| PathBuf::from(path));
    let mode = query.get("sslmode").map(String::as_str);
    let plain = |mode: &str| Ok(Tls { mode: mode.to_owned(), ca: None });
    match driver {
        Driver::Libpq | Driver::Pgx => Ok(Tls {
            mode: mode.unwrap_or("prefer").to_owned(),
            ca: query.get("sslrootcert").map(|path| file(path)),
        }),
        // node-postgres takes every mode but no-verify for verify-full, with the CAs that Node trusts.
        Driver::Node => match mode {
            Some("no-verify") => plain("require"),
            Some("disable") => plain("disable"),
            None if !env.contains_key("DATABASE_SSL_ROOT_CERT") => plain("disable"),
            _ => match env.get("NODE_EXTRA_CA_CERTS").or_else(|| query.get("sslrootcert")) {
                Some(path) => Ok(Tls { mode: "verify-full".to_owned(), ca: Some(file(path)) }),
                None => Err(
                    "self-signed certificate in certificate chain (the CA of RDS is not trusted: \
                     set NODE_EXTRA_CA_CERTS, or sslmode=no-verify)"
                        .to_owned(),
                ),
            },
        },
        Driver::Meta => plain(match env.get("PG_META_DB_SSL_MODE").map(String::as_str) {
            None | Some("disable") => "disable",
            // The CA is the text of PG_META_DB_SSL_ROOT_CERT; the program does not check host names.
            Some(_) => "require",
        }),
        Driver::Postgrex => match env.get("DB_SSL").map(String::as_str) {
            Some("true") => Ok(Tls {
                mode: if env.contains_key("DB_SSL_CA_CERT") { "verify-ca" } else { "require" }
                    .to_owned(),
                ca: env.get("DB_SSL_CA_CERT").map(|path| file(path)),
            }),
            _ => plain("disable"),
        },
    }
}

fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = (byte == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok()))
            .flatten();
        decoded.push(code.unwrap_or(byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(driver: Driver, url: &str, more: &[(&str, &str)]) -> Result<Login, String> {
        let settings = Database {
            driver,
            url: Some("URL".to_owned()),
            host: None,
            port: None,
            user: None,
            password: None,
            name: None,
        };
        let mut env = BTreeMap::from([("URL".to_owned(), url.to_owned())]);
        env.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mounts = Mounts::new([("/etc/ca".to_owned(), PathBuf::from("/sandbox/ca"))]);
        Login::from_env(&settings, &env, &mounts)
    }

    #[test]
    fn a_url_is_taken_apart_and_its_ca_found() {
        let text = "postgres://authenticator:p%40ss@db:5433/supabase?sslmode=verify-full&sslrootcert=/etc/ca/ca.pem";
        let login = url(Driver::Libpq, text, &[]).unwrap();
        assert_eq!(format!("{login:?}"), "authenticator@db:5433/supabase");
        assert_eq!(login.password, "p@ss");
        assert_eq!(login.tls.mode, "verify-full");
        assert_eq!(login.tls.ca, Some(PathBuf::from("/sandbox/ca/ca.pem")));
    }

    #[test]
    fn node_takes_require_for_verify_full() {
        let of = |mode: &str, env: &[(&str, &str)]| {
            url(Driver::Node, &format!("postgres://u:p@db/x{mode}"), env)
        };
        assert_eq!(of("?sslmode=no-verify", &[]).unwrap().tls.mode, "require");
        assert_eq!(of("", &[]).unwrap().tls.mode, "disable");
        assert!(of("?sslmode=require", &[]).unwrap_err().contains("self-signed certificate"));
        let trusted =
            of("?sslmode=verify-full", &[("NODE_EXTRA_CA_CERTS", "/etc/ca/ca.pem")]).unwrap();
        assert_eq!(trusted.tls.mode, "verify-full");
    }

    #[test]
    fn a_missing_variable_is_named() {
        assert_eq!(url(Driver::Libpq, "", &[]).unwrap_err(), "URL is not set");
    }
}

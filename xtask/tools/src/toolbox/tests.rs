//! The installer against archives that the tests make themselves.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicUsize, Ordering},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::*;
use crate::{Interrupt, NoDownload, Redactor};

/// Serves one file under every URL and counts the requests.
#[derive(Debug, Default)]
struct Shelf {
    file: Vec<u8>,
    fetched: AtomicUsize,
}

impl Download for Shelf {
    fn fetch(
        &self,
        _: &str,
        file: &mut dyn Write,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> anyhow::Result<()> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        file.write_all(&self.file)?;
        progress(self.file.len() as u64, Some(self.file.len() as u64));
        Ok(())
    }
}

fn leaked<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A tool "probe" 1.2.3 that says its version, in an archive with one folder at the top.
fn probe(checksum: Option<&str>) -> (&'static Tool, Arc<Shelf>) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let script = b"#!/bin/sh\necho probe v1.2.3\n";
    let mut header = tar::Header::new_gnu();
    header.set_size(script.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "probe-1.2.3/bin/probe", &script[..]).unwrap();
    let file = tar.into_inner().unwrap().finish().unwrap();
    let right = install::hexadecimal(&Sha256::digest(&file));
    let checksum: &'static str = Box::leak(checksum.unwrap_or(&right).to_owned().into_boxed_str());
    let platform = Platform::current().unwrap();
    let source = Source::Archive(Archive {
        version: "1.2.3",
        url: "https://vendor.example/probe-{version}-{os}-{arch}.tar.gz",
        checksums: std::slice::from_ref(leaked((platform, checksum))),
        shape: Shape::Tree { archives: &[], program: "bin/probe" },
    });
    let tool = leaked(Tool {
        name: "probe",
        needed_for: "this test",
        requirement: ">=1.2, <2",
        programs: &["probe"],
        companions: &[],
        folders: &[],
        version_arguments: &["--version"],
        remedy: "install probe",
        sources: std::slice::from_ref(leaked(source)),
    });
    (tool, Arc::new(Shelf { file, fetched: AtomicUsize::new(0) }))
}

struct Bench {
    folder: tempfile::TempDir,
    toolbox: Toolbox,
    said: Arc<Mutex<Vec<String>>>,
}

/// A toolbox whose search path is the folder `bin` of a temporary folder.
fn bench(download: Arc<dyn Download>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&said);
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let toolbox = Toolbox::new(folder.path().join("tools"), Processes::default(), download)
        .searching(bin)
        .saying(move |line| lines.lock().unwrap().push(line.to_owned()));
    Bench { folder, toolbox, said }
}

impl Bench {
    fn put_on_path(&self, name: &str, version: &str) {
        let path = self.folder.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\necho {version}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Everything below the tools' folder but downloads and locks.
    fn installed(&self) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.toolbox.folder()).into_iter().flatten().flatten() {
            if entry.path().is_dir() && entry.file_name() != "downloads" {
                let inner = fs::read_dir(entry.path()).unwrap().flatten();
                names.extend(inner.map(|inner| inner.file_name().to_string_lossy().into_owned()));
            }
        }
        names
    }
}

#[test]
fn a_missing_tool_is_installed_once_and_found_afterwards() {
    let (tool, shelf) = probe(None);
    let bench = bench(shelf.clone());
    let found = bench.toolbox.install(tool).unwrap();
    assert_eq!((found.version.to_string().as_str(), found.origin), ("1.2.3", Origin::Installed));
    assert_eq!(found.path, bench.toolbox.folder().join("probe/1.2.3/bin/probe"));
    assert_eq!(bench.toolbox.install(tool).unwrap(), found);
    assert_eq!(bench.toolbox.search(tool).fitting, Some(found.clone()));
    assert_eq!(shelf.fetched.load(Ordering::SeqCst), 1);
    assert_eq!(bench.installed(), ["1.2.3"]);
    assert_eq!(bench.said.lock().unwrap()[0], "installing probe 1.2.3 from vendor.example");
    let output = Processes::default().command(&found.path).output().unwrap();
    assert_eq!(output, "probe v1.2.3\n");
}

#[test]
fn a_file_with_a_wrong_checksum_leaves_nothing_installed() {
    let wrong = "00".repeat(32);
    let (tool, shelf) = probe(Some(&wrong));
    let bench = bench(shelf);
    let error = format!("{:#}", bench.toolbox.install(tool).unwrap_err());
    assert!(error.starts_with("failed to install probe: install probe ("), "{error}");
    assert!(error.contains(&format!("expected {wrong}")), "{error}");
    assert!(bench.installed().is_empty());
    assert!(bench.toolbox.search(tool).fitting.is_none());
}

#[test]
fn without_a_network_the_error_says_what_to_do() {
    let (tool, _) = probe(None);
    let error = format!("{:#}", bench(Arc::new(NoDownload)).toolbox.install(tool).unwrap_err());
    assert!(
        error.starts_with("failed to install probe: install probe (`https://vendor.example/"),
        "{error}"
    );
}

#[test]
fn the_tool_of_the_system_is_used_when_its_version_fits() {
    let (tool, _) = probe(None);
    let bench = bench(Arc::new(NoDownload));
    bench.put_on_path("probe", "probe v1.9.0");
    let found = bench.toolbox.search(tool).fitting.unwrap();
    assert_eq!((found.version.to_string().as_str(), found.origin), ("1.9.0", Origin::System));
    bench.put_on_path("probe", "probe v2.0.0");
    let search = bench.toolbox.search(tool);
    assert!(search.fitting.is_none());
    let complaint = search.complaint(tool);
    assert!(complaint.starts_with("probe >=1.2, <2 is needed, but `"), "{complaint}");
    assert!(complaint.ends_with("/bin/probe` is 2.0.0"), "{complaint}");
}

#[test]
fn several_runs_at_once_install_it_once() {
    let (tool, shelf) = probe(None);
    let bench = bench(shelf.clone());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| bench.toolbox.install(tool).unwrap());
        }
    });
    assert_eq!(shelf.fetched.load(Ordering::SeqCst), 1);
    assert_eq!(bench.installed(), ["1.2.3"]);
}

#[test]
fn who_waits_for_another_run_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::new();
    let processes = Processes::new(Redactor::new(), interrupt.clone());
    let toolbox = Toolbox::new(folder.path(), processes, Arc::new(NoDownload));
    let _other = toolbox.lock("probe").unwrap();
    interrupt.request();
    let error = toolbox.lock("probe").unwrap_err().to_string();
    assert_eq!(error, "stopped while waiting for another run that installs probe");
}

#[test]
fn the_doctor_names_all_problems_at_once() {
    let bench = bench(Arc::new(NoDownload));
    bench.put_on_path("terraform", "Terraform v1.5.7");
    bench.put_on_path("python3", "Python 3.8.10");
    bench.put_on_path("kubectl", "Client Version: v1.33.1");
    let findings = bench.toolbox.doctor();
    let names: Vec<_> = findings.iter().map(|finding| finding.name).collect();
    assert_eq!(names, TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>());
    let of = |name: &str| findings.iter().find(|finding| finding.name == name).unwrap();
    assert_eq!(of("kubectl").verdict, FindingVerdict::Ok);
    assert_eq!(of("terraform").verdict, FindingVerdict::WillInstall);
    assert_eq!(of("terraform").version, Some(Version::new(1, 5, 7)));
    assert_eq!(of("helm").verdict, FindingVerdict::WillInstall);
    assert_eq!(of("python").verdict, FindingVerdict::WrongVersion);
    let remedy = of("python").remedy.clone().unwrap();
    assert!(remedy.contains("/bin/python3` is 3.8.10: install Python 3.10 or later"), "{remedy}");
    serde_json::to_string(&findings).unwrap();
}

#[test]
#[ignore = "fetches packages from their registries"]
fn the_real_packages_install_and_run() {
    let folder = tempfile::tempdir().unwrap();
    // Only what is needed to run Python and shell scripts: no tool but Python is on the path.
    let whole = bench(Arc::new(NoDownload)).toolbox.searching(std::env::var_os("PATH").unwrap());
    let python = whole.ensure("python").unwrap();
    let toolbox = Toolbox::new(folder.path(), Processes::default(), Arc::new(NoDownload))
        .searching(python.folder());
    let helm = toolbox.ensure("helm").unwrap();
    assert_eq!(helm.origin, Origin::Installed);
    assert!(toolbox.search(tool("helm").unwrap()).fitting.is_some());
    assert_eq!(toolbox.version_of(tool("helm").unwrap(), &helm.path).unwrap(), helm.version);
    let kubectl = toolbox.install(tool("kubectl").unwrap()).unwrap();
    assert_eq!(
        toolbox.version_of(tool("kubectl").unwrap(), &kubectl.path).unwrap(),
        kubectl.version
    );
    let postgresql = toolbox.install(tool("postgresql").unwrap()).unwrap();
    for program in ["postgres", "initdb", "psql"] {
        let output = Processes::default()
            .command(postgresql.folder().join(program))
            .arg("--version")
            .output()
            .unwrap();
        assert!(output.contains("17.11"), "{output}");
    }
    let requirements = folder.path().join("requirements.txt");
    let six = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";
    fs::write(&requirements, six).unwrap();
    let interpreter = toolbox.python_environment("probe", &requirements).unwrap();
    let asked = Processes::default()
        .command(&interpreter)
        .args(["-c", "import six; print(six.__version__)"]);
    assert_eq!(asked.output().unwrap(), "1.17.0\n");
    assert_eq!(toolbox.python_environment("probe", &requirements).unwrap(), interpreter);
    fs::write(&requirements, six.replace("4721", "0000")).unwrap();
    let error = format!("{:#}", toolbox.python_environment("probe", &requirements).unwrap_err());
    assert!(error.starts_with("failed to install the Python packages of probe: "), "{error}");
}

mod providers {
    use super::*;

    const AWS: &str = "hashicorp/aws";

    fn surroundings(folder: &Path) -> Surroundings {
        let home = folder.join("home");
        fs::create_dir_all(&home).unwrap();
        Surroundings { root: folder.join("root"), home: Some(home), ..Surroundings::default() }
    }

    fn mirror(folder: &Path) {
        let platform = Platform::current().unwrap().to_string();
        let provider = folder.join("registry.terraform.io/hashicorp/aws/5.100.0").join(platform);
        fs::create_dir_all(provider).unwrap();
    }

    #[test]
    fn a_mirror_in_a_usual_folder_is_named_in_a_configuration_of_ours() {
        let bench = bench(Arc::new(NoDownload));
        let surroundings = surroundings(bench.folder.path());
        let place = surroundings.root.join("opt/plugins");
        mirror(&place);
        let found = bench.toolbox.terraform_providers(AWS, "5.100.0", &surroundings).unwrap();
        let file = &found.environment["TF_CLI_CONFIG_FILE"];
        let expected = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path    = \"{}\"\n    include = \
             [\"registry.terraform.io/hashicorp/aws\"]\n  }}\n  direct {{\n    exclude = \
             [\"registry.terraform.io/hashicorp/aws\"]\n  }}\n}}\n",
            place.display()
        );
        assert_eq!(fs::read_to_string(file).unwrap(), expected);
        // Another version is not in there.
        let other = bench.toolbox.terraform_providers(AWS, "6.0.0", &surroundings).unwrap();
        let cache = bench.toolbox.folder().join("terraform-providers").display().to_string();
        assert_eq!(other.environment, BTreeMap::from([("TF_PLUGIN_CACHE_DIR".to_owned(), cache)]));
    }

    #[test]
    fn what_the_person_configured_is_left_alone() {
        let bench = bench(Arc::new(NoDownload));
        let mut surroundings = surroundings(bench.folder.path());
        mirror(&surroundings.root.join("opt/plugins"));
        let file = surroundings.home.clone().unwrap().join(".terraformrc");
        fs::write(&file, "# mine\nprovider_installation {\n  direct {}\n}\n").unwrap();
        let found = bench.toolbox.terraform_providers(AWS, "5.100.0", &surroundings).unwrap();
        assert!(found.environment.is_empty());
        assert_eq!(found.source, format!("as `{}` says", file.display()));
        // The variable wins over the file in the home folder, also when it names no file.
        surroundings.config_file = Some("/no/such/file".into());
        let found = bench.toolbox.terraform_providers(AWS, "5.100.0", &surroundings).unwrap();
        assert!(found.source.starts_with("from the mirror `"), "{}", found.source);
    }

    #[test]
    fn a_cache_of_the_person_is_kept() {
        let bench = bench(Arc::new(NoDownload));
        let surroundings = surroundings(bench.folder.path());
        let file = surroundings.home.clone().unwrap().join(".terraformrc");
        fs::write(&file, "plugin_cache_dir = \"/cache\"\n# provider_installation {\n").unwrap();
        let found = bench.toolbox.terraform_providers(AWS, "5.100.0", &surroundings).unwrap();
        assert!(found.environment.is_empty(), "{found:?}");
    }
}

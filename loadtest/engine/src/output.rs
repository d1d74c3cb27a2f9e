//! Writing files that others read: under a temporary name, then renamed.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Replaces a file: a reader sees the old one or the new one and never a part. A symbolic link at this path is
/// replaced, and its target stays unchanged.
pub fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".authbench-").suffix(".new").tempfile_in(folder)?;
    fill(file.as_file_mut())?;
    // Temporary files are private to their owner; reports are readable for every user.
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn symlink_is_replaced_and_its_target_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (other, link) = (folder.path().join("other"), folder.path().join("report.md"));
        std::fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        replace(&link, |file| file.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "new");
        assert!(link.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        replace(&path, |file| file.write_all(b"old")).unwrap();
        replace(&path, |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

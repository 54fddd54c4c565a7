use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tar::{EntryType, Header};

use super::*;

/// An archive made by hand: names and links as no honest program writes them.
struct Archive(Vec<u8>);

impl Archive {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn with(self, path: &str, kind: EntryType, data: &[u8]) -> Self {
        self.raw(path, "", kind, 0o644, data.len() as u64, data)
    }

    fn link(self, path: &str, to: &str, kind: EntryType) -> Self {
        self.raw(path, to, kind, 0o777, 0, &[])
    }

    fn raw(mut self, path: &str, to: &str, kind: EntryType, mode: u32, size: u64, data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path.as_bytes());
        old.linkname[..to.len()].copy_from_slice(to.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }
}

struct Unpacked {
    into: tempfile::TempDir,
    result: Result<u64, Error>,
}

fn unpacked_within(archive: &[u8], bounds: Bounds) -> Unpacked {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    let into = tempfile::tempdir().unwrap();
    std::fs::create_dir(into.path().join("app")).unwrap();
    let result = unpack(file.path(), &into.path().join("app"), bounds);
    Unpacked { into, result }
}

fn unpacked(archive: &Archive) -> Unpacked {
    unpacked_within(&archive.0, Bounds::default())
}

impl Unpacked {
    fn path(&self, name: &str) -> PathBuf {
        self.into.path().join("app").join(name)
    }

    #[track_caller]
    fn is_refused(&self) {
        assert!(matches!(self.result, Err(Error::Bad(_))), "{:?}", self.result);
        assert_eq!(std::fs::read_dir(self.into.path()).unwrap().count(), 1, "nothing lies beside the tree");
    }

    #[track_caller]
    fn is_too_large(&self) {
        assert!(matches!(self.result, Err(Error::TooLarge(_))), "{:?}", self.result);
    }
}

#[test]
fn nothing_gets_out_of_the_tree() {
    let file = EntryType::Regular;
    for path in ["../x", "a/../../x", "/../x", ".."] {
        unpacked(&Archive::new().with(path, file, b"x")).is_refused();
    }
    for to in ["..", "../", "/tmp", "/"] {
        let through = Archive::new().link("out", to, EntryType::Symlink).with("out/nanoscale-escaped", file, b"x");
        unpacked(&through).is_refused();
        assert!(!Path::new("/tmp/nanoscale-escaped").exists());
    }
    for to in ["/etc/passwd", "../../../../../../etc/passwd", "out/passwd"] {
        let hard = Archive::new().link("out", "/etc", EntryType::Symlink).link("x", to, EntryType::Link);
        unpacked(&hard).is_refused();
    }
    // A link itself may lead anywhere: who follows it is confined.
    let link = unpacked(&Archive::new().link("out", "/etc/passwd", EntryType::Symlink).with("out", file, b"mine"));
    assert!(link.result.is_ok(), "{:?}", link.result);
    assert!(std::fs::symlink_metadata(link.path("out")).unwrap().is_file(), "replaced, not written through");
}

#[test]
fn absolute_names_are_taken_as_the_trees() {
    let unpacked = unpacked(&Archive::new().with("/etc/nanoscale-test", EntryType::Regular, b"x"));
    assert_eq!(unpacked.result.as_ref().unwrap(), &0);
    assert!(unpacked.path("etc/nanoscale-test").is_file() && !Path::new("/etc/nanoscale-test").exists());
}

#[test]
fn what_is_no_file_is_left_out_and_no_mode_is_special() {
    let archive = Archive::new()
        .with("null", EntryType::Char, b"")
        .with("disk", EntryType::Block, b"")
        .with("pipe", EntryType::Fifo, b"")
        .with("odd", EntryType::new(b'?'), b"what this holds is skipped")
        .raw("shell", "", EntryType::Regular, 0o6755, 1, b"x")
        .with("contiguous", EntryType::Continuous, b"x");
    let unpacked = unpacked(&archive);
    assert_eq!(unpacked.result.as_ref().unwrap(), &4);
    assert_eq!(std::fs::read_dir(unpacked.path("")).unwrap().count(), 2);
    assert_eq!(std::fs::metadata(unpacked.path("shell")).unwrap().permissions().mode() & 0o7777, 0o755);
    unpacked_within(&Archive::new().with("pipe", EntryType::Fifo, b"").0, Bounds::default()).is_refused();
}

/// 100 bytes in a file of `size`: the rest is a hole, which takes no room in the archive.
fn sparse(size: u64) -> Archive {
    let mut archive = Archive::new().raw("holes", "", EntryType::GNUSparse, 0o644, 100, &[b'x'; 100]);
    let header = Header::from_byte_slice(&archive.0[..512]).clone();
    let mut header = header;
    let gnu = header.as_gnu_mut().unwrap();
    gnu.sparse[0].set_offset(size - 100);
    gnu.sparse[0].set_length(100);
    gnu.set_real_size(size);
    header.set_cksum();
    archive.0[..512].copy_from_slice(header.as_bytes());
    archive
}

#[test]
fn files_with_holes_keep_them_and_count_as_a_whole() {
    let unpacked_1g = unpacked(&sparse(1 << 30));
    assert!(unpacked_1g.result.is_ok(), "{:?}", unpacked_1g.result);
    let metadata = std::fs::metadata(unpacked_1g.path("holes")).unwrap();
    assert_eq!(metadata.len(), 1 << 30);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
    unpacked(&sparse(1 << 40)).is_too_large();
}

#[test]
fn bytes_and_entries_are_bounded() {
    let bounds = |bytes, entries| Bounds { bytes, entries };
    let file = |archive: Archive, number: u32| archive.with(&number.to_string(), EntryType::Regular, &[0; 1000]);
    let ten = (0..10).fold(Archive::new(), file);
    assert!(unpacked_within(&ten.0, bounds(10_000, 10)).result.is_ok());
    unpacked_within(&ten.0, bounds(9_999, 10)).is_too_large();
    unpacked_within(&ten.0, bounds(10_000, 9)).is_too_large();
    // Before the bytes are read.
    let claim = |size| Archive::new().raw("x", "", EntryType::Regular, 0o644, size, b"");
    unpacked(&claim(9 << 30)).is_too_large();
    unpacked(&claim(u64::MAX / 2)).is_too_large();
    unpacked(&claim(1 << 20)).is_refused();
}

#[test]
fn zeros_without_end_are_not_unpacked() {
    // What is left out is decompressed, too.
    let skipped = (0..9).fold(Archive::new(), |archive, _| archive.raw("x", "", EntryType::Fifo, 0o644, 1 << 20, b""));
    unpacked_within(&skipped.0, Bounds { bytes: 1 << 20, entries: 99 }).is_refused();
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let size = 4 << 20;
        let name =
            Archive::new().raw("x", "", kind, 0o644, size, &vec![b'a'; 4 << 20]).with("x", EntryType::Regular, b"");
        let packed = zstd::encode_all(name.0.as_slice(), 1).unwrap();
        assert!(packed.len() < 1 << 20);
        unpacked_within(&packed, Bounds::default()).is_refused();
    }
}

#[test]
fn names_may_be_long_deep_and_alike() {
    let long = |path: &str| {
        let data = format!("{path}\0");
        Archive::new().with("././@LongLink", EntryType::GNULongName, data.as_bytes()).with(
            "x",
            EntryType::Regular,
            b"x",
        )
    };
    let deep = unpacked(&long(&format!("{}x", "d/".repeat(1000))));
    assert!(deep.result.is_ok(), "{:?}", deep.result);
    unpacked(&long(&"n".repeat(256))).is_refused();
    unpacked(&long(&"d/".repeat(100_000))).is_refused();
    let both = Archive::new().with("Readme", EntryType::Regular, b"1").with("README", EntryType::Regular, b"2");
    let both = unpacked(&both);
    assert!(both.path("Readme").is_file() && both.path("README").is_file());
    // A file where a directory was meant to be, and the other way round.
    let clash = Archive::new().with("a", EntryType::Regular, b"x").with("a/b", EntryType::Regular, b"x");
    unpacked(&clash).is_refused();
}

#[test]
fn what_ends_too_early_is_refused() {
    let whole = Archive::new().with("a", EntryType::Regular, &[1; 5000]).0;
    for length in [1, 100, 600, 3000] {
        unpacked_within(&whole[..length], Bounds::default()).is_refused();
    }
    let packed = zstd::encode_all(whole.as_slice(), 1).unwrap();
    unpacked_within(&packed[..packed.len() / 2], Bounds::default()).is_refused();
}

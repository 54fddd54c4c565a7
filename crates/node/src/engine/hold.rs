//! The container that holds a network for another one.
//!
//! A network has to be complete before the app is in it, and an engine starts a container as soon as its network is there. So another
//! one comes first, which does nothing, as Kubernetes' `pause` does; what is needed of it is made here, rather than
//! fetched.

use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;

use super::Engine;

pub(crate) const IMAGE: &str = "nanoscale-hold:1";
pub(crate) const PROGRAM: &str = "/hold";

/// Waits for a signal, again and again.
#[cfg(target_arch = "x86_64")]
const CODE: (u16, &[u8]) = (
    62,
    &[
        0xb8, 0x22, 0x00, 0x00, 0x00, // mov eax, SYS_pause
        0x0f, 0x05, // syscall
        0xeb, 0xf7, // jmp -9
    ],
);
#[cfg(target_arch = "aarch64")]
const CODE: (u16, &[u8]) = (
    183,
    &[
        0x00, 0x00, 0x80, 0xd2, // mov x0, 0
        0x01, 0x00, 0x80, 0xd2, // mov x1, 0
        0x02, 0x00, 0x80, 0xd2, // mov x2, 0
        0x03, 0x00, 0x80, 0xd2, // mov x3, 0
        0x04, 0x00, 0x80, 0xd2, // mov x4, 0
        0x28, 0x09, 0x80, 0xd2, // mov x8, SYS_ppoll
        0x01, 0x00, 0x00, 0xd4, // svc 0
        0xf9, 0xff, 0xff, 0x17, // b -28
    ],
);

const ADDRESS: u64 = 0x40_0000;
/// Of an ELF header and of one program header (elf(5)).
const HEADERS: u64 = 64 + 56;

/// A program of one segment, as elf(5) has it.
fn program() -> Vec<u8> {
    let (machine, code) = CODE;
    let length = HEADERS + code.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2_u16, machine] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1_u32.to_le_bytes());
    for word in [ADDRESS + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    // Loaded, readable and executable.
    for word in [1_u32, 5] {
        elf.extend(word.to_le_bytes());
    }
    for word in [0, ADDRESS, ADDRESS, length, length, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(code);
    elf
}

fn archive() -> std::io::Result<Vec<u8>> {
    let program = program();
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, PROGRAM.trim_start_matches('/'), program.as_slice())?;
    archive.into_inner()
}

impl Engine {
    /// Gives the engine the image of what holds networks, unless it has it.
    pub(crate) async fn need_hold(&self) -> Result<(), Error> {
        match self.docker.inspect_image(IMAGE).await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
            other => return other.map(drop),
        }
        let (name, tag) = IMAGE.split_once(':').unwrap_or((IMAGE, "latest"));
        let options = CreateImageOptionsBuilder::new().from_src("-").repo(name).tag(tag).build();
        let archive = bollard::body_full(archive()?.into());
        self.docker.create_image(Some(options), Some(archive), None).try_collect::<Vec<_>>().await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_program_that_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hold");
        std::fs::write(&path, program()).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut running = std::process::Command::new(&path).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(running.try_wait().unwrap().is_none(), "it waits");
        running.kill().unwrap();
        running.wait().unwrap();
    }
}

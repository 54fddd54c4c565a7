//! The product's side of a test's socket. When nobody listens there, nobody waits.

use std::ffi::OsString;
use std::io::{self, Read, Write};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn line(name: &str) -> String {
    format!("{name} {}\n", std::process::id())
}

pub(crate) async fn until_let_go(name: &str) {
    let Some(socket) = std::env::var_os(super::VARIABLE) else { return };
    let _: io::Result<usize> = async {
        let mut stream = tokio::net::UnixStream::connect(socket).await?;
        stream.write_all(line(name).as_bytes()).await?;
        stream.read(&mut [0]).await
    }
    .await;
}

pub(crate) fn until_let_go_blocking(name: &str) {
    let Some(socket) = std::env::var_os(super::VARIABLE) else { return };
    let asked = |socket: OsString| {
        let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
        stream.write_all(line(name).as_bytes())?;
        stream.read(&mut [0])
    };
    let _: io::Result<usize> = asked(socket);
}

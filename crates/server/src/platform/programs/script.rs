//! The script that installs the program on a machine, made for this cluster.

use std::fmt::Write;

use url::Url;

use super::{Platform, Programs, quoted};
use crate::error::Result;

const TEMPLATE: &str = include_str!("install.sh");

impl Programs {
    /// For machines that find this server at `url`.
    pub(super) async fn install_script(&self, url: &Url) -> Result<String> {
        let mut digests = String::new();
        for program in self.supplied().await? {
            let Platform { os, arch } = program.platform;
            let _ = writeln!(digests, "    {os}-{arch}) echo {} ;;", program.sha256);
        }
        let cluster = self.inner.cluster.as_bytes().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let filled = TEMPLATE
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@URL@", &quoted(url.as_str().trim_end_matches('/')))
            .replace("@CLUSTER@", &cluster)
            .replace("@CURL_OPTIONS@", &self.curl_options(url))
            .replace("    @DIGESTS@\n", &digests);
        Ok(filled)
    }
}

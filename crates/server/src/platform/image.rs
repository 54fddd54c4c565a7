//! Which images may be fetched at all, decided before any work.

use ids::ImageReference;

use crate::error::{Error, Result};
use crate::platform::outbound;

pub(crate) fn parse(text: &str) -> Result<ImageReference> {
    text.parse().map_err(|error: ids::Invalid| Error::invalid("image", "INVALID_IMAGE", error.to_string()))
}

/// Whether an explicit setting lists the image's registry.
pub(crate) fn is_allowed(image: &ImageReference, allow_hosts: &[String]) -> bool {
    outbound::is_listed(image.host(), image.port(), allow_hosts)
}

/// Refuses registries in private ranges, unless they are listed.
pub(crate) async fn check(text: &str, allow_hosts: &[String]) -> Result<ImageReference> {
    let image = parse(text)?;
    if is_allowed(&image, allow_hosts) {
        return Ok(image);
    }
    match outbound::private_at(image.host(), image.port()).await {
        Some(ip) => {
            let host = image.host();
            let message =
                format!("`{host}` is at {ip}, in a private range; list it in `images.allow_hosts` if that is meant");
            Err(Error::invalid("image", "PRIVATE_HOST", message))
        }
        None => Ok(image),
    }
}

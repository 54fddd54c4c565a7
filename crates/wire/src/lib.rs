//! What crosses the node link and the shim socket.

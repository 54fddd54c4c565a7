//! A real nginx that ends TLS before a server, as its operator would set it up.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::certificates::Certificates;
use crate::child::{self, Rights};
use crate::scratch::Scratch;
use crate::wait::{PATIENCE, wait_until};

/// Gone when dropped.
#[derive(Debug)]
pub struct Nginx {
    scratch: Scratch,
    name: String,
    port: u16,
    target: SocketAddr,
    process: Option<Child>,
}

// === impl Nginx ===

impl Nginx {
    /// A port for one that is not there yet.
    pub fn free_port() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("bind");
        listener.local_addr().expect("its address").port()
    }

    /// Answers at `port` of every address as `name`, and passes on to `target`.
    pub async fn start(name: &str, port: u16, target: SocketAddr) -> Self {
        let scratch = Scratch::new("nginx", None);
        let mut nginx = Self { scratch, name: name.into(), port, target, process: None };
        nginx.replace_certificate();
        nginx.configure();
        nginx.restart().await;
        nginx
    }

    /// Ends it, with every connection through it, and starts it again.
    pub async fn restart(&mut self) {
        self.stop();
        let directory = self.scratch.path().display().to_string();
        let mut command = child::mortal("/usr/sbin/nginx", Rights::Own);
        command.args(["-p", &directory, "-c", "nginx.conf", "-e", "error.log"]).stdin(Stdio::null());
        self.process = Some(child::spawn(command).expect("start nginx, of the package nginx-light"));
        wait_until("nginx answers", PATIENCE, async || {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok()
        })
        .await;
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            child::signal(&process, Signal::SIGTERM);
            if child::wait(&mut process, PATIENCE).is_none() {
                child::signal(&process, Signal::SIGKILL);
                let _ = process.wait();
            }
        }
    }

    /// The authority of the certificate that is shown, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> std::path::PathBuf {
        self.scratch.path().join("authority.pem")
    }

    /// Another certificate, of another authority and with another key; shown after the next reload or restart.
    pub fn replace_certificate(&self) {
        let made = Certificates::of(&self.name);
        for (file, pem) in
            [("authority.pem", made.authority), ("certificate.pem", made.certificate), ("key.pem", made.key)]
        {
            fs::write(self.scratch.path().join(file), pem).expect("write a certificate");
        }
    }

    /// Takes up what has changed, as `nginx -s reload` does: what is open stays with the old workers.
    pub fn reload(&self) {
        child::signal(self.process.as_ref().expect("it runs"), Signal::SIGHUP);
    }

    fn configure(&self) {
        let (name, port, target) = (&self.name, self.port, self.target);
        let text = format!(
            r"daemon off; pid nginx.pid; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 0.0.0.0:{port} ssl; server_name {name};
    ssl_certificate certificate.pem; ssl_certificate_key key.pem;
    client_max_body_size 0; proxy_buffering off; proxy_request_buffering off;
    location / {{
      proxy_pass http://{target};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"
        );
        fs::write(self.scratch.path().join("nginx.conf"), text).expect("write nginx.conf");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

//! Certificates: who is trusted, who is not, and what becomes of a push then.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::{batch, configured, kind};
use crate::loki::wire::answer::Answer;
use crate::loki::wire::sink::Sink as _;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a name until the end of a year, and its key; PEM.
    fn certify(&self, name: &str, year: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A server that answers 204 to whomever it trusts; its URL.
fn server((certificate, key): &(String, String), clients: Option<&Authority>) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let roots = Arc::new(roots);
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            }
            connection.send_close_notify();
            let _ = connection.complete_io(&mut stream);
        }
    });
    url
}

fn push(url: &str, more: &Value) -> Answer {
    let mut config = json!({"endpoint": url, "timeout_seconds": 5});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    configured(&config).push(&batch())
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn whom_we_trust() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let ours = json!({"ca_file": write(folder.path(), "ca", &authority.pem)});
    let others = json!({"ca_file": write(folder.path(), "others", &Authority::new().pem)});
    let anybody = json!({"insecure_skip_verify": true});
    let good = server(&authority.certify("localhost", 4000), None);
    let expired = server(&authority.certify("localhost", 2021), None);
    let wrong_name = server(&authority.certify("loki.example", 4000), None);
    for (name, url, config, expected, advice) in [
        ("good", &good, &ours, "stored", ""),
        ("unknown", &good, &others, "hold", "; set loki.ca_file to"),
        ("unknown to the system", &good, &json!({}), "hold", "; set loki.ca_file to"),
        ("expired", &expired, &ours, "hold", "; renew the certificate of the server"),
        ("wrong name", &wrong_name, &ours, "hold", "; take a name into loki.endpoint"),
        ("unknown, and not looked at", &good, &anybody, "stored", ""),
        ("expired, and not looked at", &expired, &anybody, "stored", ""),
    ] {
        let answer = push(url, config);
        assert_eq!(kind(&answer), expected, "{name}: {answer:?}");
        if let Answer::Hold { why } = answer {
            assert!(why.contains("certificate") && why.contains(advice), "{name}: {why}");
        }
    }
}

#[test]
fn who_trusts_us() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, clients) = (Authority::new(), Authority::new());
    let url = server(&authority.certify("localhost", 4000), Some(&clients));
    let mut identities = Vec::new();
    for (name, authority) in [("known", &clients), ("stranger", &authority)] {
        let (certificate, key) = authority.certify("me", 4000);
        let certificate = write(folder.path(), &format!("{name}.pem"), &certificate);
        let key = write(folder.path(), &format!("{name}.key"), &key);
        identities.push(json!({"cert_file": certificate, "key_file": key}));
    }
    let ca_file = write(folder.path(), "ca", &authority.pem);
    for (identity, expected) in
        [(&identities[0], "stored"), (&identities[1], "hold"), (&json!({}), "hold")]
    {
        let mut config = identity.clone();
        config["ca_file"] = ca_file.clone().into();
        let answer = push(&url, &config);
        assert_eq!(kind(&answer), expected, "{identity}: {answer:?}");
        if let Answer::Hold { why } = answer {
            assert!(why.contains("set loki.cert_file and loki.key_file"), "{identity}: {why}");
        }
    }
}

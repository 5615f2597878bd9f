//! What a Kafka server has besides where it is secured: listeners with TLS, users, and rights.

use std::path::PathBuf;

use mq_core::error::{Error, ErrorKind, Result};

use super::recipe::Plan;
use crate::harness::Program;

/// The user that the secured listener knows, by user and password.
const USER: &str = "app";
const PASSWORD: &str = "app-secret";
/// What opens the client's key where it is encrypted.
const KEY_PASSWORD: &str = "key-secret";

/// Certificates that a client can check: a root, one for the server, one for a client.
const CERTIFICATES: &str = r#"set -e
new() { openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null; }
sign() { openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "$2" -out "$1.pem" 2>/dev/null; }
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=root -days 2 -keyout ca.key -out ca.pem 2>/dev/null
echo subjectAltName=DNS:localhost,IP:127.0.0.1 >server.ext
echo extendedKeyUsage=clientAuth >client.ext
new server localhost; sign server server.ext
new client client; sign client client.ext
openssl pkcs8 -topk8 -v2 aes-256-cbc -in client.key -out locked.key -passout pass:key-secret
cat server.key server.pem ca.pem >keystore.pem
"#;

/// How a client gets in where a Kafka server is secured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Secured {
    /// `localhost:port`: TLS, then user and password, or a token.
    pub address: String,
    /// `localhost:port`: TLS with a certificate of the client.
    pub mutual: String,
    /// The certificate that the server's is signed by, as PEM.
    pub ca: PathBuf,
    /// The client's certificate, as PEM; its name is `client`.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// The same key, encrypted (PKCS #8).
    pub locked_key: PathBuf,
    /// What opens it.
    pub key_password: String,
    /// The user, for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Secured {
    pub(super) fn new(plan: &Plan, address: u16, mutual: u16) -> Self {
        let file = |name| folder(plan).join(name);
        Self {
            address: format!("localhost:{address}"),
            mutual: format!("localhost:{mutual}"),
            ca: file("ca.pem"),
            certificate: file("client.pem"),
            key: file("client.key"),
            locked_key: file("locked.key"),
            key_password: KEY_PASSWORD.to_owned(),
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
        }
    }
}

fn folder(plan: &Plan) -> PathBuf {
    plan.folder.join("tls")
}

/// Makes the certificates.
pub(super) async fn prepare(plan: &Plan) -> Result<()> {
    if !plan.tools.have(&["openssl", "sh"]) {
        let text = "there is no `openssl` to make certificates with; install it (Debian: openssl)";
        return Err(Error::new(ErrorKind::Unsupported, text));
    }
    let folder = folder(plan);
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            "cannot make the folder of the certificates",
        )
        .source(error)
    })?;
    let program = plan
        .tools
        .program("sh")
        .name("certificates")
        .args(["-c", CERTIFICATES]);
    plan.run(program.folder(&folder)).await
}

/// Adds the users to the first files of a node.
pub(super) fn with_users(mut format: Program) -> Program {
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        format = format.arg("--add-scram");
        format = format.arg(format!("{mechanism}=[name={USER},password={PASSWORD}]"));
    }
    format
}

/// The settings of the listeners `SECURED` and `MUTUAL`, and of who may do what: on the plain listener everybody everything.
pub(super) fn settings(plan: &Plan) -> String {
    let store = folder(plan).join("keystore.pem");
    let ca = folder(plan).join("ca.pem");
    let (store, ca) = (store.display(), ca.display());
    let modules = "org.apache.kafka.common.security";
    format!(
        "ssl.keystore.type=PEM\nssl.keystore.location={store}\nssl.truststore.type=PEM\nssl.truststore.location={ca}\n\
         listener.name.mutual.ssl.client.auth=required\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER\n\
         listener.name.secured.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";\n\
         listener.name.secured.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;\n\
         listener.name.secured.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;\n\
         listener.name.secured.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required;\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS\nallow.everyone.if.no.acl.found=true\n"
    )
}

//! What the keys of a server (Loki, Grafana, Prometheus) have to do with each other: who we are to
//! it, and with which certificate.

use super::access::token_key;
use super::keys::{self, KEYS, Key};
use super::values::Values;

/// The blocks that have these keys.
const SERVERS: [&str; 3] = ["loki", "grafana", "prometheus"];

/// Names every combination that cannot be meant.
pub(super) fn check(values: &mut Values) {
    let secrets = KEYS.iter().filter(|key| key.is_secret());
    for (secret, file) in secrets.filter_map(|key| Some((key, key.other_form()?))) {
        if values.is_set(secret.name) && values.is_set(file.name) {
            refuse(values, secret, &format!("given beside {}; keep one", told(values, file.name)));
        }
    }
    for block in SERVERS {
        check_authentication(block, values);
        needs(values, &format!("{block}.cert_file"), &[format!("{block}.key_file")]);
        needs(values, &format!("{block}.key_file"), &[format!("{block}.cert_file")]);
    }
}

/// What a user should know of these keys, one sentence each.
pub(super) fn warnings(values: &Values) -> impl Iterator<Item = String> {
    let keys = SERVERS.map(|block| format!("{block}.insecure_skip_verify"));
    let set = keys.into_iter().filter(|key| values.is_set(key) && values.flag(key));
    set.map(|key| {
        format!(
            "{key} ({}): any certificate is accepted, so anyone on the way can read what is sent; \
             for tests only",
            values.source(&key)
        )
    })
}

fn check_authentication(block: &str, values: &mut Values) {
    let user = format!("{block}.username");
    let passwords = [format!("{block}.password"), format!("{block}.password_file")];
    needs(values, &user, &passwords);
    for password in &passwords {
        needs(values, password, std::slice::from_ref(&user));
    }
    let token = token_key(block);
    let token = [format!("{token}_file"), token].into_iter().find(|name| values.is_set(name));
    if let (Some(token), true, Some(key)) = (token, values.is_set(&user), keys::find(&user)) {
        let why = format!("given beside {}; keep one way to authenticate", told(values, &token));
        refuse(values, key, &why);
    }
}

/// Where the key is set, one of the others has to be.
fn needs(values: &mut Values, name: &str, others: &[String]) {
    let missing = values.is_set(name) && !others.iter().any(|other| values.is_set(other));
    if let (true, Some(key)) = (missing, keys::find(name)) {
        refuse(values, key, &format!("it needs {} too", others.join(" or ")));
    }
}

fn told(values: &Values, name: &str) -> String {
    format!("{name} ({})", values.source(name))
}

fn refuse(values: &mut Values, key: &Key, why: &str) {
    let source = values.source(key.name).to_owned();
    values.mistake(&source, format!("{}: {why}", key.name));
}

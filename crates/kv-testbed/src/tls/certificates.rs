//! Certificates, made anew for each test.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::error::{Error, Result};

/// PEM texts with the names of their files.
#[derive(Debug)]
pub(super) struct Certificates {
    files: Vec<(String, String)>,
}

impl Certificates {
    pub(super) fn make() -> Result<Self> {
        make().map_err(Error::context("cannot make certificates"))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, pem)| (name.as_str(), pem.as_str()))
    }

    fn add(&mut self, name: &str, ca: &Issuer<'_, KeyPair>, params: &CertificateParams) -> Made {
        let key = KeyPair::generate()?;
        self.files.push((format!("{name}.pem"), params.signed_by(&key, ca)?.pem()));
        self.files.push((format!("{name}.key.pem"), key.serialize_pem()));
        Ok(())
    }
}

type Made<T = ()> = std::result::Result<T, rcgen::Error>;

fn make() -> Made<Certificates> {
    let mut made = Certificates { files: Vec::new() };
    let ca = authority(&mut made, "ca")?;
    let other = authority(&mut made, "other-ca")?;
    made.add("server", &ca, &leaf("server", &["localhost", "127.0.0.1"])?)?;
    made.add("wrong-host", &ca, &leaf("wrong-host", &["elsewhere.invalid"])?)?;
    let mut expired = leaf("expired", &["localhost", "127.0.0.1"])?;
    expired.not_before = date_time_ymd(2000, 1, 1);
    expired.not_after = date_time_ymd(2001, 1, 1);
    made.add("expired", &ca, &expired)?;
    made.add("client", &ca, &leaf("client", &[])?)?;
    made.add("stranger", &other, &leaf("stranger", &[])?)?;
    Ok(made)
}

fn authority(made: &mut Certificates, name: &str) -> Made<Issuer<'static, KeyPair>> {
    let mut params = named(name, &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    made.files.push((format!("{name}.pem"), params.self_signed(&key)?.pem()));
    Ok(Issuer::new(params, key))
}

/// Good for both sides of a connection: a server is a client of the others in its cluster.
fn leaf(name: &str, hosts: &[&str]) -> Made<CertificateParams> {
    let mut params = named(name, hosts)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// Two certificates of one name would pass for each other's issuer.
fn named(name: &str, hosts: &[&str]) -> Made<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, format!("kv-testbed {name}"));
    Ok(params)
}

//! Published tokens through the server's own signature step, and an independent implementation on either side.

use std::process::{Command, Output};

use chassis::auth::Authenticator;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use jwt::{Algorithm, JwsError, KeySet, SigningKey, verify_jws};
use serde_json::{Value, json};

use testkit::program::program;

use crate::forge::{self, Forge};

/// The claims of RFC 7515 appendix A.1.1.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

struct Vector {
    source: &'static str,
    jwk: &'static str,
    header: &'static str,
    payload: &'static str,
    signature: &'static str,
}

const VECTORS: [Vector; 4] = [
    Vector {
        source: "RFC 7515 appendix A.1",
        jwk: r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
        header: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        payload: CLAIMS,
        signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    },
    Vector {
        source: "RFC 7515 appendix A.2",
        jwk: r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
        header: "eyJhbGciOiJSUzI1NiJ9",
        payload: CLAIMS,
        signature: "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    },
    Vector {
        source: "RFC 7515 appendix A.3",
        jwk: r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        header: "eyJhbGciOiJFUzI1NiJ9",
        payload: CLAIMS,
        signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    },
    Vector {
        source: "RFC 8037 appendix A.4",
        jwk: r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        header: "eyJhbGciOiJFZERTQSJ9",
        payload: "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    },
];

/// RFC 7515 appendix A.4: ES512 over P-521.
const ES512: Vector = Vector {
    source: "RFC 7515 appendix A.4",
    jwk: r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#,
    header: "eyJhbGciOiJFUzUxMiJ9",
    payload: "UGF5bG9hZA",
    signature: "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
};

/// RFC 7515 appendix A.5: no signature at all.
const UNSIGNED: Vector = Vector {
    source: "RFC 7515 appendix A.5",
    jwk: VECTORS[0].jwk,
    header: "eyJhbGciOiJub25lIn0",
    payload: CLAIMS,
    signature: "",
};

impl Vector {
    fn compact(&self) -> String {
        format!("{}.{}.{}", self.header, self.payload, self.signature)
    }
}

fn set(jwk: &str) -> KeySet {
    KeySet::from_json(&format!(r#"{{"keys":[{jwk}]}}"#)).unwrap()
}

#[test]
fn published_vectors_verify_to_their_payload() {
    for Vector { source, jwk, header, payload, signature } in VECTORS {
        let verified = verify_jws(&format!("{header}.{payload}.{signature}"), &set(jwk));
        assert_eq!(verified, Ok(forge::decode(payload)), "{source}");
    }
}

#[test]
fn vectors_of_unsupported_algorithms_are_rejected() {
    for vector in [ES512, UNSIGNED] {
        for jwk in [vector.jwk, VECTORS[2].jwk] {
            assert_eq!(verify_jws(&vector.compact(), &set(jwk)), Err(JwsError::Algorithm), "{}", vector.source);
        }
    }
}

#[test]
fn example_reports_each_vector_of_a_file() {
    let mut vectors: Vec<_> = VECTORS
        .iter()
        .chain([&ES512, &UNSIGNED])
        .map(|vector| {
            let jwk: Value = serde_json::from_str(vector.jwk).unwrap();
            json!({ "id": vector.source, "jws": vector.compact(), "jwks": { "keys": [jwk] } })
        })
        .collect();
    let good = vectors[0].clone();
    let with = |id: &str, jwks: Value| {
        let mut vector = good.clone();
        vector["id"] = id.into();
        vector["jwks"] = jwks;
        vector
    };
    vectors.push(with("text", good["jwks"].to_string().into()));
    vectors.push(with("malformed", "{".into()));
    vectors.push(with("no set", json!([])));
    vectors.push(with("no key", json!({ "keys": [] })));
    let weak = r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#;
    vectors.push(with("weak", weak.into()));
    let output = jose_vectors(&Value::from(vectors).to_string());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<_> = lines
        .lines()
        .map(|line| line.split_once(" accepted").map_or_else(|| line.split(':').next().unwrap(), |(id, _)| id))
        .collect();
    let expected = [
        "RFC 7515 appendix A.1",
        "RFC 7515 appendix A.2",
        "RFC 7515 appendix A.3",
        "RFC 8037 appendix A.4",
        "RFC 7515 appendix A.4 refused",
        "RFC 7515 appendix A.5 refused",
        "text",
        "malformed refused",
        "no set refused",
        "no key refused",
        "weak refused",
    ];
    assert_eq!(verdicts, expected, "{lines}");
    for other in ["{}", r#"[{"id":"x","jws":"y"}]"#] {
        assert_eq!(jose_vectors(other).status.code(), Some(2), "{other}");
    }
}

/// Runs the example on a file with this content.
fn jose_vectors(json: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vectors.json");
    std::fs::write(&file, json).unwrap();
    Command::new(program("examples/jose_vectors")).arg(file).output().unwrap()
}

#[test]
fn no_vector_verifies_under_the_key_of_another() {
    for (n, vector) in VECTORS.iter().enumerate() {
        let compact = format!("{}.{}.{}", vector.header, vector.payload, vector.signature);
        for (_, other) in VECTORS.iter().enumerate().filter(|(m, _)| *m != n) {
            assert_eq!(verify_jws(&compact, &set(other.jwk)), Err(JwsError::Algorithm), "{}", vector.source);
        }
    }
}

#[test]
fn no_vector_verifies_with_another_payload() {
    for Vector { source, jwk, header, signature, .. } in VECTORS {
        let verified = verify_jws(&format!("{header}.{}.{signature}", forge::encode("{}")), &set(jwk));
        assert_eq!(verified, Err(JwsError::Signature), "{source}");
    }
}

#[test]
fn key_ids_are_thumbprints() {
    // RFC 8037 appendices A.1 and A.3, the private key in the PKCS #8 frame of RFC 8410 section 7.
    let private = forge::decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let frame =
        [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], private.as_slice()].concat();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, frame);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    let key = SigningKey::from_pem(Algorithm::EdDsa, pem.as_bytes()).unwrap();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[tokio::test]
async fn jsonwebtoken_accepts_the_tokens_of_this_server_by_its_published_key() {
    for algorithm in Algorithm::ALL {
        let server = forge::authenticator(algorithm).await;
        let now = jsonwebtoken::get_current_timestamp();
        let token = forge::issued(&server, now).await;
        let key = match server.jwks(now) {
            None => DecodingKey::from_secret(forge::secret()),
            Some(published) => {
                let set: JwkSet = serde_json::from_value(published).unwrap();
                let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
                DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap()
            }
        };
        let mut validation = Validation::new(jwt::jsonwebtoken_algorithm(algorithm));
        validation.set_issuer(&["https://auth.example.test"]);
        validation.set_audience(&["https://api.example.test"]);
        let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.claims["sub"], "7", "{algorithm}");
        assert_eq!(decoded.header.typ.as_deref(), Some("at+jwt"), "{algorithm}");
    }
}

#[tokio::test]
async fn this_server_accepts_what_jsonwebtoken_signs_with_its_key() {
    for algorithm in Algorithm::ALL {
        let server = forge::authenticator(algorithm).await;
        let token = Forge::new(algorithm, &forge::issued(&server, 1000).await).good();
        let identity = server.verify(Some(&token), 1000).await.unwrap();
        assert_eq!(identity, contract::body::Identity::seeded(7, 1), "{algorithm}");
    }
}

#[tokio::test]
async fn published_keys_have_no_private_part() {
    for algorithm in Algorithm::ALL {
        let Some(published) = forge::authenticator(algorithm).await.jwks(0) else {
            assert_eq!(algorithm, Algorithm::Hs256, "only a secret has no public half");
            continue;
        };
        let mut members: Vec<_> = published["keys"][0].as_object().unwrap().keys().collect();
        members.sort();
        let expected: &[&str] = match algorithm {
            Algorithm::Hs256 => &[],
            Algorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
            Algorithm::Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            Algorithm::Rs256 => &["alg", "e", "kid", "kty", "n", "use"],
        };
        assert_eq!(members, expected, "{algorithm}");
    }
}

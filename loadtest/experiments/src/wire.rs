//! `wire`: how many bytes does a credential add to a request and its response?
//!
//! Varies: the scheme, the carrier, and the number of roles in the credential. Holds: the user, the client, the request
//! (`GET /me` after `POST /login`).
//!
//! A relay between client and server counts the bytes on the TCP connection, so that they are measured and not
//! calculated. The client's other headers (`Host`, `User-Agent`, `Accept`) are the same for every scheme; the control
//! has only these.

use contract::body::LoginResponse;
use contract::user::{PASSWORD, username};
use contract::{Carrier, Scheme, route};
use engine::record::{Validity, WireExperiment, WirePoint};
use lab::http::{Client, DEADLINE, Response, cookie_header};
use lab::server::{Server, ServerSpec};
use lab::tap::{Exchange, Tap};

use crate::Run;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};

/// The parameters of the experiment `wire`.
#[derive(Clone, Debug)]
pub struct WireParameters {
    /// Numbers of roles of an ordinary user.
    pub roles: Vec<u16>,
}

impl Run for WireExperiment {
    type Parameters = WireParameters;

    fn parameters(_: Profile) -> WireParameters {
        WireParameters { roles: vec![0, 10, 100] }
    }

    fn run(context: &mut RunContext<'_>, parameters: &WireParameters) -> Result<(), ExperimentError> {
        let carriers = [Carrier::Bearer, Carrier::Cookie];
        let schemes = &context.config.schemes;
        context.progress.begin("wire", (schemes.len() * carriers.len() * parameters.roles.len()) as u64);
        for &scheme in schemes {
            for carrier in carriers {
                for &roles in &parameters.roles {
                    context.step(&format!("{scheme}, {carrier}, {roles} roles"))?;
                    let point = point(context, scheme, carrier, roles)?;
                    context.journal.measured(|wire: &mut WireExperiment| wire.points.push(point))?;
                }
            }
        }
        Ok(())
    }
}

fn point(
    context: &mut RunContext<'_>,
    scheme: Scheme,
    carrier: Carrier,
    roles: u16,
) -> Result<WirePoint, ExperimentError> {
    let spec = ServerSpec { carrier, roles, ..context.spec(scheme, context.config.store(scheme))? };
    let server = Server::start(&spec)?;
    if carrier == context.config.carrier {
        context.journal.describe(server.descriptor().clone());
    }
    let failed = |reason: String| ExperimentError::Wire { scheme, reason };
    let tap = Tap::start(server.address()).map_err(|error| failed(error.to_string()))?;
    let client = Client::new(&format!("http://{}", tap.addr()));
    // An ordinary user: the admin has one more role.
    let (login, response) = client.login(&username(1), PASSWORD)?;
    let credential_header = credential_header(&client, carrier, &login, &response);
    let headers = credential_header.iter().map(|sent| (sent.header.to_owned(), sent.value.clone())).collect();
    let me = client.get(route::ME, &headers, DEADLINE)?;
    if me.status != 200 {
        return Err(failed(format!("{} responded with {} after the login", route::ME, me.status)));
    }
    drop(client);
    let exchanges = tap.finish().map_err(|error| failed(error.to_string()))?;
    let [login, me]: &[Exchange; 2] = exchanges
        .as_slice()
        .try_into()
        .map_err(|_| failed(format!("observed {} exchanges instead of 2", exchanges.len())))?;
    Ok(WirePoint {
        scheme: scheme.id().to_owned(),
        carrier,
        roles,
        credential_bytes: credential_header.map_or(0, |sent| sent.credential_bytes),
        request_header_bytes: me.request.head.len() as u64,
        response_header_bytes: me.response.head.len() as u64,
        response_body_bytes: me.response.body.len() as u64,
        login_response_bytes: login.response.size_bytes() as u64,
        validity: Validity::from_reasons(Vec::new()),
    })
}

/// A credential as a client returns it.
pub(crate) struct CredentialHeader {
    pub(crate) header: &'static str,
    pub(crate) value: String,
    credential_bytes: u64,
}

/// Returns the credential that the login issued; none for the control.
pub(crate) fn credential_header(
    client: &Client,
    carrier: Carrier,
    login: &LoginResponse,
    response: &Response,
) -> Option<CredentialHeader> {
    match carrier {
        Carrier::Bearer => {
            let token = login.token.as_ref()?;
            let credential_bytes = token.len() as u64;
            Some(CredentialHeader { header: "authorization", value: format!("Bearer {token}"), credential_bytes })
        }
        Carrier::Cookie => {
            // A browser sends all cookies, including that of a refresh token.
            let cookies = client.cookies(response, route::ME);
            let credential_bytes = cookies.iter().map(|(_, value)| value.len() as u64).sum();
            let value = cookie_header(&cookies)?;
            Some(CredentialHeader { header: "cookie", value, credential_bytes })
        }
    }
}

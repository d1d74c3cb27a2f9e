//! The wire as an OpenAPI document: the wire table with every response of each route.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, PathItem};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, Content, ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    PathsBuilder, Ref, Required, Response, ResponseBuilder, Type,
};

use crate::ProblemKind::{
    self, AmbiguousCredential, BodyTooLarge, CredentialTooLarge, CrossSite, InsufficientRole, Internal,
    InvalidCredential, LoginFailed, MalformedRequest, MethodNotAllowed, MissingCredential, NextHopUnavailable,
    NotFound, Overloaded, StoreNotWritable, StoreUnavailable, TooManyAttempts, UnsupportedMediaType,
};
use crate::body::{
    ClockRequest, ClockResponse, Health, Identity, LoginRequest, LoginResponse, LogoutRequest, MintRequest,
    MintResponse, MintedCredential, PasswordChange, RefreshRequest, RotateRequest, UserChange,
};
use crate::{
    Carrier, LogoutScope, Problem, RevocationClass, SchemeDescriptor, StoreDown, StoreKind, Touch, problem, route,
};

/// A route as a client sees it.
struct Row {
    path: &'static str,
    method: HttpMethod,
    summary: &'static str,
    /// The schema of the request's body.
    request_schema: Option<&'static str>,
    success: Success,
    /// Whether it requires a credential.
    authenticated: bool,
    /// The problems that it returns in addition to those of all such routes.
    problems: &'static [ProblemKind],
}

/// The successful response of a route.
#[derive(Clone, Copy)]
enum Success {
    /// JSON of this schema.
    Json(&'static str),
    /// A JSON object that another document describes.
    Object,
    /// Text of this media type.
    Text(&'static str),
    /// 204.
    Nothing,
}

/// The problems of every route with a credential.
const AUTHENTICATED_PROBLEMS: [ProblemKind; 4] =
    [AmbiguousCredential, MissingCredential, InvalidCredential, StoreUnavailable];
/// The problems of every route with a body.
const BODY_PROBLEMS: [ProblemKind; 3] = [MalformedRequest, BodyTooLarge, UnsupportedMediaType];
/// The problems of any route.
const COMMON_PROBLEMS: [ProblemKind; 2] = [MethodNotAllowed, Internal];

/// The problems of a login.
const OF_LOGIN: [ProblemKind; 7] =
    [LoginFailed, CrossSite, TooManyAttempts, Overloaded, CredentialTooLarge, StoreUnavailable, StoreNotWritable];

fn rows() -> [Row; route::ALL.len()] {
    use Success::{Json, Nothing, Object, Text};
    [
        authenticated(get(route::ME, "Returns the user of the credential", Json("Identity"))),
        Row {
            problems: &[InsufficientRole],
            ..authenticated(get(route::ADMIN, "Returns this user; requires the role admin", Json("Identity")))
        },
        Row {
            request_schema: Some("LoginRequest"),
            problems: &OF_LOGIN,
            ..post(route::LOGIN, "Issues a credential for a user name and a password", Json("LoginResponse"))
        },
        Row {
            request_schema: Some("RefreshRequest"),
            problems: &[CrossSite, CredentialTooLarge, StoreNotWritable],
            ..authenticated(post(
                route::REFRESH,
                "Issues a new credential for a valid one; if the scheme has refresh tokens and the carrier is bearer, \
                 the request has the body instead of the credential",
                Json("LoginResponse"),
            ))
        },
        logout_row(
            route::LOGOUT,
            "Revokes this credential, and the login of the refresh token if the scheme has refresh tokens",
        ),
        logout_row(route::LOGOUT_ALL, "Revokes every credential of the user of this credential or refresh token"),
        Row {
            request_schema: Some("PasswordChange"),
            problems: &[CrossSite, LoginFailed, TooManyAttempts, Overloaded, StoreNotWritable],
            ..authenticated(post(
                route::PASSWORD,
                "Changes the password; revokes every credential of the user",
                Nothing,
            ))
        },
        Row {
            request_schema: Some("UserChange"),
            problems: &[CrossSite, InsufficientRole, NotFound, StoreNotWritable],
            ..authenticated(post(
                route::ADMIN_USER,
                "Disables a user or changes roles; revokes every credential of that user; requires the role admin",
                Nothing,
            ))
        },
        Row {
            problems: &[MalformedRequest, NotFound, NextHopUnavailable],
            ..authenticated(get(
                route::CHAIN,
                "As /me, forwarded to the last of several servers; hops=N in the query is their number after this one",
                Json("Identity"),
            ))
        },
        Row {
            problems: &[NotFound],
            ..get(route::JWKS, "Returns the public keys of schemes that have any (RFC 7517)", Object)
        },
        get(route::OPENAPI, "This document", Object),
        get(route::HEALTHZ, "The process is alive", Json("Health")),
        Row {
            problems: &[StoreUnavailable, StoreNotWritable],
            ..get(route::READYZ, "The store is reachable and writable", Json("Health"))
        },
        get(route::METRICS, "Requests by route and status", Text("application/openmetrics-text")),
        get(route::BENCH_SCHEME, "Returns the scheme and its properties", Json("SchemeDescriptor")),
        Row {
            request_schema: Some("MintRequest"),
            problems: &[CrossSite, NotFound, StoreUnavailable, StoreNotWritable],
            ..post(
                route::BENCH_MINT,
                "Issues credentials without a password; only with --bench, from loopback to a loopback Host",
                Json("MintResponse"),
            )
        },
        Row {
            request_schema: Some("ClockRequest"),
            problems: &[CrossSite, NotFound],
            ..post(
                route::BENCH_CLOCK,
                "Advances the server's clock; only with --bench, from loopback to a loopback Host",
                Json("ClockResponse"),
            )
        },
        Row {
            request_schema: Some("RotateRequest"),
            problems: &[CrossSite, NotFound],
            ..post(
                route::BENCH_ROTATE,
                "Adds a new key and keeps the old one; only with --bench, from loopback to a loopback Host",
                Nothing,
            )
        },
    ]
}

fn get(path: &'static str, summary: &'static str, success: Success) -> Row {
    Row { path, method: HttpMethod::Get, summary, request_schema: None, success, authenticated: false, problems: &[] }
}

fn post(path: &'static str, summary: &'static str, success: Success) -> Row {
    Row { method: HttpMethod::Post, ..get(path, summary, success) }
}

fn authenticated(row: Row) -> Row {
    Row { authenticated: true, ..row }
}

/// A logout. The body is read only where the scheme has refresh tokens and the carrier is bearer.
fn logout_row(path: &'static str, summary: &'static str) -> Row {
    let row = post(path, summary, Success::Nothing);
    Row { request_schema: Some("LogoutRequest"), problems: &[CrossSite, StoreNotWritable], ..authenticated(row) }
}

/// The document, OpenAPI 3.1.
#[must_use]
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("authbench reference server")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The same API for every scheme; GET /bench/scheme returns the active one."));
    let paths = rows().into_iter().fold(PathsBuilder::new(), |paths, row| {
        paths.path(row.path, PathItem::new(row.method.clone(), operation(&row)))
    });
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components())).build()
}

fn components() -> Components {
    let cookie = ApiKeyValue::new(Carrier::COOKIE_NAME);
    ComponentsBuilder::new()
        .schema_from::<Identity>()
        .schema_from::<LoginRequest>()
        .schema_from::<LoginResponse>()
        .schema_from::<Health>()
        .schema_from::<SchemeDescriptor>()
        .schema_from::<MintRequest>()
        .schema_from::<MintResponse>()
        .schema_from::<MintedCredential>()
        .schema_from::<RefreshRequest>()
        .schema_from::<LogoutRequest>()
        .schema_from::<PasswordChange>()
        .schema_from::<UserChange>()
        .schema_from::<ClockRequest>()
        .schema_from::<ClockResponse>()
        .schema_from::<RotateRequest>()
        .schema_from::<Problem>()
        .schema_from::<Carrier>()
        .schema_from::<RevocationClass>()
        .schema_from::<StoreKind>()
        .schema_from::<StoreDown>()
        .schema_from::<LogoutScope>()
        .schema_from::<Touch>()
        .security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .build()
}

fn operation(row: &Row) -> Operation {
    let problem_kinds = problem_kinds(row);
    let (status, response) = success_response(row.success);
    let mut operation = OperationBuilder::new()
        .summary(Some(row.summary))
        .request_body(row.request_schema.map(request_body))
        .response(status, response);
    for status in problem_kinds.iter().map(|kind| kind.status()).collect::<std::collections::BTreeSet<_>>() {
        operation = operation.response(status.to_string(), problem_response(status, &problem_kinds));
    }
    if row.authenticated {
        let carriers = ["bearer", "cookie"].map(|scheme| SecurityRequirement::new::<_, _, String>(scheme, []));
        operation = operation.securities(Some(carriers));
    }
    operation.build()
}

fn problem_kinds(row: &Row) -> Vec<ProblemKind> {
    let mut kinds = row.problems.to_vec();
    kinds.extend(COMMON_PROBLEMS);
    if row.authenticated {
        kinds.extend(AUTHENTICATED_PROBLEMS);
    }
    if row.request_schema.is_some() {
        kinds.extend(BODY_PROBLEMS);
    }
    kinds
}

fn request_body(schema: &'static str) -> RequestBody {
    let optional = ["RefreshRequest", "LogoutRequest"].contains(&schema);
    let required = if optional { Required::False } else { Required::True };
    RequestBodyBuilder::new().required(Some(required)).content("application/json", content(schema)).build()
}

fn success_response(success: Success) -> (&'static str, Response) {
    let ok = ResponseBuilder::new().description("Done");
    match success {
        Success::Json(schema) => ("200", ok.content("application/json", content(schema)).build()),
        Success::Object => ("200", ok.content("application/json", any(Type::Object)).build()),
        Success::Text(media_type) => ("200", ok.content(media_type, any(Type::String)).build()),
        Success::Nothing => ("204", ok.build()),
    }
}

/// Returns the response with this status, which several kinds may share; each has its own `type` in the body.
fn problem_response(status: u16, kinds: &[ProblemKind]) -> Response {
    let titles: Vec<_> = kinds.iter().filter(|kind| kind.status() == status).map(|kind| kind.title()).collect();
    let response =
        ResponseBuilder::new().description(titles.join("; or: ")).content(problem::MEDIA_TYPE, content("Problem"));
    let header = |text| HeaderBuilder::new().description(Some(text)).build();
    match status {
        401 => response.header("WWW-Authenticate", header("The challenge of the carrier (RFC 9110 section 11.6.1)")),
        429 | 503 => response.header("Retry-After", header("Seconds")),
        _ => response,
    }
    .build()
}

fn content(schema: &str) -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}

fn any(kind: Type) -> Content {
    ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(kind))).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set it, and the document is written instead of compared.
    const UPDATE: &str = "UPDATE_OPENAPI";

    #[test]
    fn committed_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let generated = format!("{}\n", document().to_pretty_json().unwrap());
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == generated, "run {UPDATE}=1 cargo test -p contract --lib and review the changes");
    }

    #[test]
    fn every_route_of_the_wire_table_is_described() {
        let document = serde_json::to_value(document()).unwrap();
        for route in route::ALL {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(operation["responses"].is_object(), "{} {} is missing", route.method, route.path);
        }
        assert_eq!(document["paths"].as_object().unwrap().len(), route::ALL.len());
    }

    #[test]
    fn every_reference_resolves_to_a_component() {
        let document = serde_json::to_value(document()).unwrap();
        let text = document.to_string();
        let references: Vec<_> = text.split(r#""$ref":"#).skip(1).map(|rest| rest.split('"').nth(1).unwrap()).collect();
        assert!(references.len() > 20, "{references:?}");
        for reference in references {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some(), "{reference} does not resolve");
        }
    }

    #[test]
    fn authenticated_route_lists_both_carriers_and_its_problems() {
        let document = serde_json::to_value(document()).unwrap();
        let admin = &document["paths"]["/admin"]["get"];
        assert_eq!(admin["security"], serde_json::json!([{"bearer": []}, {"cookie": []}]));
        for status in ["200", "400", "401", "403", "405", "500", "503"] {
            assert!(admin["responses"][status].is_object(), "{status}");
        }
        assert!(admin["responses"]["403"]["content"][problem::MEDIA_TYPE].is_object());
        let schemes = &document["components"]["securitySchemes"];
        assert_eq!(schemes["cookie"]["name"], Carrier::COOKIE_NAME);
        assert_eq!(schemes["bearer"]["scheme"], "bearer");
    }
}

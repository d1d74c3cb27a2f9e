//! Bodies of requests: JSON objects and nothing else.

use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use contract::ProblemKind;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

/// A JSON body. Errors state only their kind: the text of the body may contain a password.
pub(crate) async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ProblemKind> {
    match Json::from_request(request, &()).await {
        Ok(Json(Object(body))) => Ok(body),
        Err(rejection) => Err(match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemKind::UnsupportedMediaType,
            _ => ProblemKind::MalformedRequest,
        }),
    }
}

/// The same where a body may be absent, which an empty one is as well.
pub(crate) async fn optional_body<T: DeserializeOwned>(request: Request) -> Result<Option<T>, ProblemKind> {
    let (head, payload) = request.into_parts();
    let read = Bytes::from_request(Request::from_parts(head.clone(), payload), &()).await;
    let bytes = read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
        _ => ProblemKind::MalformedRequest,
    })?;
    if bytes.is_empty() {
        return Ok(None);
    }
    body(Request::from_parts(head, Body::from(bytes))).await.map(Some)
}

/// What was read from an object: serde would fill a struct from an array as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

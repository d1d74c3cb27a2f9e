//! A load balancer in front of a correct server. Its cookie comes before those of the login, and requests without it go to
//! a server that does not know the session.

use contract::Carrier;

use crate::traffic_fault::{Memory, TrafficFault};
use testkit::message::Message;

/// The balancer's cookie.
const COOKIE: &str = "AWSALB";

/// The credential's cookie has this name in front of the balancer.
pub(super) struct Balancer(pub(super) &'static str);

impl TrafficFault for Balancer {
    fn request(&self, request: &mut Message, _: &mut Memory) -> Option<Message> {
        request
            .edit("cookie", |cookies| cookies.replace(&format!("{}=", self.0), &format!("{}=", Carrier::COOKIE_NAME)));
        None
    }

    fn response(&self, request: &Message, response: &mut Message, memory: &mut Memory) {
        let cookies = request.header("cookie").unwrap_or_default();
        let carries = request.header("authorization").is_some() || cookies.contains("__Host-");
        let name = format!("{COOKIE}=");
        let known =
            cookies.split("; ").filter_map(|pair| pair.strip_prefix(&name)).any(|value| memory.contains_key(value));
        if carries && !known && response.status().starts_with('2') {
            "HTTP/1.1 401 Unauthorized".clone_into(&mut response.line);
        }
        response
            .edit("set-cookie", |line| line.replace(&format!("{}=", Carrier::COOKIE_NAME), &format!("{}=", self.0)));
        let value = format!("balanced-{}", memory.len());
        response.headers.insert(0, ("set-cookie".to_owned(), format!("{name}{value}; Path=/").into_bytes()));
        memory.insert(value, String::new());
    }
}

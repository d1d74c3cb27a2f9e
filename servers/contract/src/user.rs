//! The seeded users, the same on every server: `user-000000` (an admin), `user-000001`, ...

/// The password of every seeded user, so that one hash is made at start.
pub const PASSWORD: &str = "correct horse battery staple";
/// The role that `/admin` requires; `user-000000` has it.
pub const ADMIN_ROLE: &str = "admin";
/// Default number of users of a server.
pub const DEFAULT_USERS: u32 = 100_000;
/// Default number of roles of an ordinary user.
pub const DEFAULT_ROLES: u16 = 1;

/// The name of the user with this number.
#[must_use]
pub fn username(number: u32) -> String {
    format!("user-{number:06}")
}

/// The number of the user with this name; the inverse of [`username`].
#[must_use]
pub fn number(username: &str) -> Option<u32> {
    let digits = username.strip_prefix("user-")?;
    let number = digits.parse().ok()?;
    (self::username(number) == username).then_some(number)
}

/// The email address of the user with this number.
#[must_use]
pub fn email(number: u32) -> String {
    format!("user-{number:06}@example.test")
}

/// The roles of the user with this number, where an ordinary user has `count` of them.
#[must_use]
pub fn roles(number: u32, count: u16) -> Vec<String> {
    let admin = (number == 0).then(|| ADMIN_ROLE.to_owned());
    admin.into_iter().chain((0..count).map(|role| format!("role-{role:03}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_inverse() {
        for n in [0, 1, 99_999, 1_000_000] {
            assert_eq!(number(&username(n)), Some(n));
        }
    }

    #[test]
    fn other_spellings_are_unknown_users() {
        for name in ["", "user-", "user-1", "user-0000001", "User-000001", "user-+00001", "root"] {
            assert_eq!(number(name), None, "{name}");
        }
    }

    #[test]
    fn only_the_first_user_is_an_admin() {
        assert_eq!(roles(0, 1), ["admin", "role-000"]);
        assert_eq!(roles(1, 2), ["role-000", "role-001"]);
        assert!(roles(7, 0).is_empty());
    }
}

//! What is missing before an environment can serve anybody, found in its files alone.
//!
//! AWS would take all of it, and the bill with it: only the add-ons, or the first user, would fail.

use serde_json::Value;

use crate::config::Environment;

/// Networks that reach the Kubernetes API; without one, deployments end at the add-ons.
pub(super) fn cluster(environment: &Environment) -> Vec<String> {
    let lists = ["public_access_cidrs", "private_access_cidrs"];
    let names_one = |list: &str| {
        let value = environment.vars.value(&["cluster", list]);
        value.is_some_and(|value| value.as_array().is_some_and(|ranges| !ranges.is_empty()))
    };
    if lists.into_iter().any(names_one) {
        return Vec::new();
    }
    vec![format!(
        "{}: `cluster.public_access_cidrs` and `cluster.private_access_cidrs` are both empty, so that no network reaches \
         the Kubernetes API and a deployment ends at the add-ons, with everything else made and paid for; name the \
         network that you deploy from",
        environment.vars.place_of(&["cluster", "public_access_cidrs"])
    )]
}

/// Variables of the auth service by which mail goes out another way than by `auth.smtp`, or is not
/// needed.
const MAIL_BY_HAND: [&str; 4] = [
    "GOTRUE_SMTP_HOST",
    "GOTRUE_HOOK_SEND_EMAIL_ENABLED",
    "GOTRUE_MAILER_AUTOCONFIRM",
    "GOTRUE_EXTERNAL_EMAIL_ENABLED",
];

/// Without mail and without confirming addresses by itself, nobody can finish signing up.
pub(super) fn mail(environment: &Environment) -> Vec<String> {
    let overlay = &environment.overlay;
    let by_hand = overlay
        .value("/auth/extraEnv")
        .and_then(Value::as_object)
        .is_some_and(|variables| MAIL_BY_HAND.iter().any(|name| variables.contains_key(*name)));
    let signs_up = overlay.is_true("/auth/signup");
    // Left as it was shipped, nobody has decided to do without.
    let undecided = environment.placeholders.iter().any(|it| it.key.starts_with("auth.smtp."));
    let fine = !overlay.is_true("/auth/enabled")
        || overlay.smtp_enabled()
        || overlay.is_true("/auth/autoconfirmEmail")
        || by_hand
        || !(signs_up || undecided);
    if fine {
        return Vec::new();
    }
    let place = overlay.place_of(&["auth", "smtp", "enabled"]);
    vec![if signs_up {
        format!(
            "{place}: no mail goes out (`auth.smtp.enabled` is false) and no address is confirmed without one \
             (`auth.autoconfirmEmail` is false), so that nobody can finish signing up; set up `auth.smtp`, or switch \
             `auth.signup` off"
        )
    } else {
        format!(
            "{place}: no mail goes out (`auth.smtp.enabled` is false) and sign-up is off (`auth.signup`), as it was \
             shipped; set up `auth.smtp` and switch both on, or take `auth.smtp` out to do without"
        )
    }]
}

/// Production says in writing whether everybody may make an account: the default says yes.
pub(super) fn sign_up(environment: &Environment) -> Vec<String> {
    let overlay = &environment.overlay;
    if !environment.is_production()
        || !overlay.is_true("/auth/enabled")
        || overlay.decides(&["auth", "signup"])
    {
        return Vec::new();
    }
    vec![format!(
        "{}: `auth.signup` is not decided, and by default whoever finds the address can make an account; write true or \
         false",
        overlay.shown()
    )]
}

/// Values that were never filled in.
pub(super) fn placeholders(environment: &Environment) -> Vec<String> {
    environment.placeholders.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;

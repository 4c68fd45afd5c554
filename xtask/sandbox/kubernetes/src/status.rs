//! Failures as a Kubernetes `Status`, with the reasons and the wording that clients look for.

use serde_json::{Value, json};

use crate::resources::Resource;

pub(crate) type Answer<T> = Result<T, Failure>;

/// A request that is refused; becomes the `Status` in the response's body.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Body>);

#[derive(Clone, Debug)]
struct Body {
    code: u16,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl Failure {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Body { code, reason, message: message.into(), details: None }))
    }

    fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    pub(crate) fn code(&self) -> u16 {
        self.0.code
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn to_value(&self) -> Value {
        let Body { code, reason, message, details } = &*self.0;
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": message, "reason": reason, "code": code,
        });
        if let Some(details) = details {
            status["details"] = details.clone();
        }
        status
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", resource.qualified()))
            .with_details(json!({"name": name, "group": resource.group, "kind": resource.plural}))
    }

    pub(crate) fn no_namespace(name: &str) -> Self {
        Self::new(404, "NotFound", format!("namespaces {name:?} not found"))
            .with_details(json!({"name": name, "kind": "namespaces"}))
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .with_details(json!({}))
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {name:?} already exists", resource.qualified()))
            .with_details(json!({"name": name, "group": resource.group, "kind": resource.plural}))
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        Self::new(409, "Conflict", message)
            .with_details(json!({"name": name, "group": resource.group, "kind": resource.plural}))
    }

    /// Server-side apply met fields that others own; `causes` are `(manager, field)`.
    pub(crate) fn apply_conflict(message: String, causes: &[(String, String)]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field})
            })
            .collect();
        Self::new(409, "Conflict", message).with_details(json!({"causes": causes}))
    }

    pub(crate) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        Self::new(403, "Forbidden", format!("{}{named} is forbidden: {why}", resource.qualified()))
            .with_details(json!({"name": name, "group": resource.group, "kind": resource.plural}))
    }

    pub(crate) fn namespace_terminating(resource: &Resource, name: &str, namespace: &str) -> Self {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let cause = json!([{"reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": format!("namespace {namespace} is being terminated")}]);
        Self::forbidden(resource, name, &why).with_details(
            json!({"name": name, "group": resource.group, "kind": resource.plural, "causes": cause}),
        )
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, faults: &[FieldFault]) -> Self {
        let texts: Vec<String> = faults.iter().map(FieldFault::text).collect();
        let listed = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let kind = if resource.group.is_empty() {
            resource.kind.clone()
        } else {
            format!("{}.{}", resource.kind, resource.group)
        };
        let causes: Vec<Value> = faults
            .iter()
            .map(|fault| json!({"reason": fault.reason, "message": fault.without_field(), "field": fault.field}))
            .collect();
        Self::new(422, "Invalid", format!("{kind} {name:?} is invalid: {listed}")).with_details(
            json!({"name": name, "group": resource.group, "kind": resource.kind, "causes": causes}),
        )
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request";
        Self::new(503, "ServiceUnavailable", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_details(json!({}))
    }

    pub(crate) fn too_large() -> Self {
        Self::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    }

    pub(crate) fn unsupported_media(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// A 500 whose message stands alone, as for patches that do not fit the schema.
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldFault {
    reason: &'static str,
    field: String,
    text: String,
}

impl FieldFault {
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        Self {
            reason: "FieldValueRequired",
            field: field.into(),
            text: format!("Required value{detail}"),
        }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let text = format!("Invalid value: {value}: {detail}");
        Self { reason: "FieldValueInvalid", field: field.into(), text }
    }

    /// The value has another type than the schema says.
    pub(crate) fn wrong_type(field: impl Into<String>, found: &str, detail: &str) -> Self {
        let text = format!("Invalid value: \"{found}\": {detail}");
        Self { reason: "FieldValueTypeInvalid", field: field.into(), text }
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        let text =
            format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self { reason: "FieldValueNotSupported", field: field.into(), text }
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            field: field.into(),
            text: format!("Duplicate value: {value}"),
        }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self {
            reason: "FieldValueForbidden",
            field: field.into(),
            text: format!("Forbidden: {detail}"),
        }
    }

    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueNotFound",
            field: field.into(),
            text: format!("Not found: {value}"),
        }
    }

    pub(crate) fn too_long(field: impl Into<String>, detail: &str) -> Self {
        Self {
            reason: "FieldValueTooLong",
            field: field.into(),
            text: format!("Too long: {detail}"),
        }
    }

    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.field, self.text)
    }

    fn without_field(&self) -> &str {
        &self.text
    }
}

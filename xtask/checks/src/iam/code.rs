//! IAM statements out of Terraform code: every object with an `Effect` and an `Action`.
//!
//! An expression is followed through the locals of its module. What stays open (a variable, an
//! attribute of a resource) is replaced by a sample of the right shape where the statement's service
//! tells it, else by `*`, and the statement is marked.

use std::collections::BTreeMap;

use anyhow::Context;
use hcl::{
    Body, Expression, ObjectKey, Structure,
    expr::{TemplateExpr, Traversal, TraversalOperator},
    template::{Element, Template},
};
use serde_json::{Map, Value};

use super::{Policy, is_identity_statement};
use crate::CheckContext;

/// References between locals end here, should they ever form a ring.
const DEEPEST: usize = 16;

/// Every identity statement of the files, one policy each, so that findings name their place.
pub(super) fn policies(context: &CheckContext, files: &[String]) -> anyhow::Result<Vec<Policy>> {
    let mut modules: BTreeMap<&str, Vec<(&str, Body)>> = BTreeMap::new();
    for path in files {
        let body = hcl::parse(&context.read(path)?)
            .with_context(|| format!("`{path}` is not HCL that can be read"))?;
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        modules.entry(folder).or_default().push((file, body));
    }
    let mut policies = Vec::new();
    for (folder, files) in &modules {
        let locals = locals(files.iter().map(|(_, body)| body));
        for (file, body) in files {
            let mut found = Vec::new();
            walk_body(body, &mut |object| found.extend(statement(object, &locals)));
            policies.extend(found.into_iter().map(|(statement, resources_are_known)| {
                let title = statement["Sid"].as_str().map_or_else(
                    || statement.get("Action").unwrap_or(&Value::Null).to_string(),
                    str::to_owned,
                );
                let place = format!("{folder}/{file}: {title}");
                Policy { place, statements: vec![statement], resources_are_known }
            }));
        }
    }
    Ok(policies)
}

type Locals<'a> = BTreeMap<&'a str, &'a Expression>;

fn locals<'a>(bodies: impl Iterator<Item = &'a Body>) -> Locals<'a> {
    let blocks = bodies.flat_map(Body::blocks).filter(|block| block.identifier() == "locals");
    let attributes = blocks.flat_map(|block| block.body().attributes());
    attributes.map(|attribute| (attribute.key(), attribute.expr())).collect()
}

fn walk_body<'a>(
    body: &'a Body,
    visit: &mut dyn FnMut(&'a hcl::expr::Object<ObjectKey, Expression>),
) {
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => walk(attribute.expr(), visit),
            Structure::Block(block) => walk_body(block.body(), visit),
        }
    }
}

/// Visits every object in an expression.
fn walk<'a>(
    expression: &'a Expression,
    visit: &mut dyn FnMut(&'a hcl::expr::Object<ObjectKey, Expression>),
) {
    match expression {
        Expression::Object(object) => {
            visit(object);
            object.values().for_each(|value| walk(value, visit));
        }
        Expression::Array(values) => values.iter().for_each(|value| walk(value, visit)),
        Expression::FuncCall(call) => call.args.iter().for_each(|value| walk(value, visit)),
        Expression::Parenthesis(inner) => walk(inner, visit),
        Expression::Conditional(conditional) => {
            walk(&conditional.true_expr, visit);
            walk(&conditional.false_expr, visit);
        }
        Expression::ForExpr(each) => walk(&each.value_expr, visit),
        _ => {}
    }
}

/// The statement that an object is, if it is one, and whether its resources are known.
fn statement(
    object: &hcl::expr::Object<ObjectKey, Expression>,
    locals: &Locals<'_>,
) -> Option<(Value, bool)> {
    let mut reader = Reader { locals, sample: String::new(), open: false };
    let mut members = Map::new();
    for (key, expression) in object {
        let key = reader.key(key);
        // What a resource looks like depends on the service, which the actions name.
        if key == "Resource" || key == "NotResource" {
            continue;
        }
        reader.open = false;
        let value = reader.value(expression, 0);
        // A condition that is put together at run time says nothing; without it nothing is wrong.
        if key != "Condition" || (is_condition(&value) && !reader.open) {
            members.insert(key, value);
        }
    }
    if !is_identity_statement(&Value::Object(members.clone())) {
        return None;
    }
    reader.sample = sample_arn(&members);
    reader.open = false;
    for (key, expression) in object {
        let key = reader.key(key);
        if key == "Resource" || key == "NotResource" {
            let value = reader.value(expression, 0);
            members.insert(key, value);
        }
    }
    Some((Value::Object(members), !reader.open))
}

/// Operators with their keys and values.
fn is_condition(value: &Value) -> bool {
    let Value::Object(operators) = value else { return false };
    operators.values().all(Value::is_object)
}

/// An ARN such as the actions of a statement take.
fn sample_arn(statement: &Map<String, Value>) -> String {
    let action = match statement.get("Action").or_else(|| statement.get("NotAction")) {
        Some(Value::String(action)) => action,
        Some(Value::Array(actions)) => actions.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    };
    match action.split(':').next() {
        Some("s3") => "arn:aws:s3:::sample".to_owned(),
        Some("kms") => {
            "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000".to_owned()
        }
        Some("sns") => "arn:aws:sns:eu-west-1:123456789012:sample".to_owned(),
        _ => String::new(),
    }
}

/// Turns expressions into JSON as far as the code alone allows.
struct Reader<'a> {
    locals: &'a Locals<'a>,
    /// What stands for the ARN of a resource; empty when its shape is not known.
    sample: String,
    /// Whether something was left open.
    open: bool,
}

impl Reader<'_> {
    fn key(&mut self, key: &ObjectKey) -> String {
        match key {
            ObjectKey::Identifier(name) => name.to_string(),
            ObjectKey::Expression(Expression::Variable(name)) => name.to_string(),
            ObjectKey::Expression(expression) => text(&self.value(expression, 0)),
            _ => String::new(),
        }
    }

    fn value(&mut self, expression: &Expression, depth: usize) -> Value {
        if depth > DEEPEST {
            return self.unknown(expression);
        }
        let deeper = depth + 1;
        match expression {
            Expression::Null => Value::Null,
            Expression::Bool(value) => Value::Bool(*value),
            Expression::Number(value) => Value::String(value.to_string()),
            Expression::String(value) => Value::String(value.clone()),
            Expression::Array(values) => {
                Value::Array(values.iter().map(|value| self.value(value, deeper)).collect())
            }
            Expression::Object(object) => {
                let member = |(key, value)| (self.key(key), self.value(value, deeper));
                Value::Object(object.iter().map(member).collect())
            }
            Expression::Parenthesis(inner) => self.value(inner, deeper),
            Expression::TemplateExpr(template) => self.template(template, deeper),
            Expression::Traversal(traversal) => match local(traversal, self.locals) {
                // A local that is computed still has its telling name.
                Some(local) if !is_readable(local) => self.unknown(expression),
                Some(local) => self.value(local, deeper),
                None => self.unknown(expression),
            },
            // `concat` is how lists of actions are put together.
            Expression::FuncCall(call) if call.name.name.as_str() == "concat" => {
                let lists = call.args.iter().map(|list| self.value(list, deeper));
                let flat = lists.flat_map(|list| match list {
                    Value::Array(values) => values,
                    value => vec![value],
                });
                Value::Array(flat.collect())
            }
            _ => self.unknown(expression),
        }
    }

    fn template(&mut self, template: &TemplateExpr, depth: usize) -> Value {
        let Ok(template) = Template::from_expr(template) else {
            self.open = true;
            return Value::String("*".to_owned());
        };
        let mut result = String::new();
        for element in template.elements() {
            match element {
                Element::Literal(literal) => result.push_str(literal),
                Element::Interpolation(part) => {
                    let is_arn = is_arn(&part.expr);
                    match self.value(&part.expr, depth) {
                        Value::String(value) if value == "*" && !is_arn => {
                            result.push_str("sample")
                        }
                        value => result.push_str(&text(&value)),
                    }
                }
                Element::Directive(_) => {
                    self.open = true;
                    result.push_str("sample");
                }
            }
        }
        Value::String(result)
    }

    /// What stands for an expression that only a run can know.
    fn unknown(&mut self, expression: &Expression) -> Value {
        let name = last_name(expression).unwrap_or_default();
        let known = match name.as_str() {
            "partition" => "aws",
            "region" => "eu-west-1",
            "account_id" => "123456789012",
            "parameter_prefix" => "/sample/supabase",
            _ if is_arn(expression) && !self.sample.is_empty() => self.sample.as_str(),
            _ => {
                // A name inside of an ARN does not change its shape; a whole resource does.
                self.open |= is_arn(expression) || !name.ends_with("name");
                "*"
            }
        };
        Value::String(known.to_owned())
    }
}

/// Whether [`Reader::value`] makes more of an expression than a sample.
fn is_readable(expression: &Expression) -> bool {
    match expression {
        Expression::Parenthesis(inner) => is_readable(inner),
        Expression::FuncCall(call) => call.name.name.as_str() == "concat",
        Expression::Conditional(_) | Expression::Operation(_) | Expression::ForExpr(_) => false,
        _ => true,
    }
}

/// The expression behind `local.name`.
fn local<'a>(traversal: &Traversal, locals: &Locals<'a>) -> Option<&'a Expression> {
    let Expression::Variable(root) = &traversal.expr else { return None };
    let [TraversalOperator::GetAttr(name)] = traversal.operators.as_slice() else { return None };
    (root.as_str() == "local").then(|| locals.get(name.as_str()).copied())?
}

/// `var.key_arns.secrets` and `aws_s3_bucket.this.arn` are ARNs, as their names say.
fn is_arn(expression: &Expression) -> bool {
    let Expression::Traversal(traversal) = expression else { return false };
    traversal.operators.iter().any(|operator| match operator {
        TraversalOperator::GetAttr(name) => {
            let name = name.as_str();
            name == "arn" || name.ends_with("_arn") || name.ends_with("_arns")
        }
        _ => false,
    })
}

fn last_name(expression: &Expression) -> Option<String> {
    let Expression::Traversal(traversal) = expression else { return None };
    traversal.operators.iter().rev().find_map(|operator| match operator {
        TraversalOperator::GetAttr(name) => Some(name.to_string()),
        _ => None,
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;

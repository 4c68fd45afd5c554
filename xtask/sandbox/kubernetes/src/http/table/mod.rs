//! Lists as tables: what `kubectl get` prints.

mod columns;
mod path;

use serde_json::{Value, json};

use crate::{
    resources::Resource,
    value::{at, list, text},
};

/// How a cell is made from an object.
enum Cell {
    /// The value at a path of field names.
    At(&'static str),
    /// The time since the one at a path.
    Since(&'static str),
    By(fn(&Value) -> String),
    /// The first value that a JSON path of a custom resource definition selects.
    Selected {
        path: String,
        date: bool,
    },
}

struct Column {
    name: String,
    kind: String,
    /// Shown only with `-o wide` unless 0.
    priority: i64,
    cell: Cell,
}

impl Column {
    fn new(name: &str, cell: Cell) -> Self {
        Self { name: name.to_owned(), kind: "string".to_owned(), priority: 0, cell }
    }

    fn wide(name: &str, cell: Cell) -> Self {
        Self { priority: 1, ..Self::new(name, cell) }
    }

    fn definition(&self) -> Value {
        let format = if self.name == "Name" { "name" } else { "" };
        json!({"name": self.name, "type": self.kind, "format": format, "description": "", "priority": self.priority})
    }

    fn value(&self, object: &Value) -> Value {
        match &self.cell {
            Cell::At(path) => shown(at(object, path)),
            Cell::Since(path) => json!(since(text(object, path))),
            Cell::By(text) => json!(text(object)),
            Cell::Selected { path, date } => match path::select(object, path) {
                Some(Value::String(time)) if *date => json!(since(time)),
                found => shown(found.unwrap_or(&Value::Null)),
            },
        }
    }
}

fn shown(value: &Value) -> Value {
    match value {
        Value::Null => json!("<none>"),
        Value::Array(_) | Value::Object(_) => json!(value.to_string()),
        value => value.clone(),
    }
}

/// A list or an object as a table.
pub(super) fn of(resource: &Resource, body: &Value) -> Value {
    let columns = columns::of(resource);
    let row = |object: &Value| {
        let cells: Vec<Value> = columns.iter().map(|column| column.value(object)).collect();
        let metadata = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"]});
        json!({"cells": cells, "object": metadata})
    };
    let rows: Vec<Value> = if body["kind"] == resource.list_kind {
        list(body, "items").iter().map(row).collect()
    } else {
        vec![row(body)]
    };
    let mut metadata = json!({});
    for field in ["resourceVersion", "continue", "remainingItemCount"] {
        crate::value::copy(at(body, "metadata"), &mut metadata, field);
    }
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": columns.iter().map(Column::definition).collect::<Vec<_>>(), "rows": rows})
}

/// The time since another, in the one or two units that say most.
fn since(time: &str) -> String {
    let Ok(time) = time.parse::<jiff::Timestamp>() else { return "<unknown>".to_owned() };
    duration(jiff::Timestamp::now().as_second() - time.as_second())
}

fn duration(seconds: i64) -> String {
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit}{small}{small_unit}")
        }
    };
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => two(days / 365, "y", days % 365, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Registry;

    #[test]
    fn times_are_told_in_the_units_that_say_most() {
        for (seconds, told) in [
            (5, "5s"),
            (119, "119s"),
            (130, "2m10s"),
            (900, "15m"),
            (11_000, "3h3m"),
            (200_000, "2d7h"),
            (-4, "0s"),
        ] {
            assert_eq!(duration(seconds), told);
        }
    }

    fn cells(api_version: &str, kind: &str, object: &Value) -> Vec<String> {
        let registry = Registry::builtin();
        let table = of(registry.of_kind(api_version, kind).unwrap(), object);
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        list(&table, "rows")[0]["cells"].as_array().unwrap().iter().map(text).collect()
    }

    #[test]
    fn a_crashing_pod_shows_why_it_does_not_run() {
        let pod = json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{}, {}]}, "status": {
            "phase": "Running", "containerStatuses": [
                {"ready": true, "restartCount": 0, "state": {"running": {}}},
                {"ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        assert_eq!(cells("v1", "Pod", &pod)[..4], ["p", "1/2", "CrashLoopBackOff", "3"]);
    }

    #[test]
    fn a_service_shows_its_ports() {
        let service = json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "ClusterIP",
            "clusterIP": "172.20.0.9", "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 30053}]}});
        assert_eq!(
            cells("v1", "Service", &service)[..5],
            ["s", "ClusterIP", "172.20.0.9", "<none>", "80/TCP,53:30053/UDP"]
        );
    }
}

//! A finished run for people who were not there: Markdown for a job summary, HTML as a timeline.

use std::fmt::Write as _;

use xtask_pipeline::{Effect, RunRecord, StepResult};

/// One table, a row a step, and what is left behind.
pub(crate) fn markdown(record: &RunRecord) -> String {
    let verdict = record.verdict.map_or("was killed or still runs", |verdict| match verdict {
        xtask_pipeline::Verdict::Done => "done",
        xtask_pipeline::Verdict::Failed => "failed",
        xtask_pipeline::Verdict::Interrupted => "interrupted",
    });
    let mut text = format!(
        "### {} {}: {verdict}\n\nRun {}\n\n",
        record.operation, record.environment, record.id
    );
    text.push_str("| stage | step | result | seconds |\n|---|---|---|---:|\n");
    for row in rows(record) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} |",
            row.stage,
            row.step,
            cell(&row.result),
            row.seconds
        );
    }
    let left = record.left_behind();
    if !left.is_empty() {
        text.push_str("\nLeft behind:\n\n");
        for (stage, step) in left {
            let what = step.leaves.as_deref().unwrap_or("see the journal");
            let _ = writeln!(text, "- {stage}, {}: {what}", step.id);
        }
    }
    text
}

/// A page that needs nothing but a browser: a bar a step, on the axis of the run's seconds.
pub(crate) fn timeline(record: &RunRecord) -> String {
    let rows = rows(record);
    let total = rows.iter().map(|row| row.start + row.seconds).fold(1.0_f64, f64::max);
    let mut body = String::new();
    for row in &rows {
        let left = row.start / total * 100.0;
        let width = (row.seconds / total * 100.0).max(0.2);
        let _ = writeln!(
            body,
            "<div class=row><span class=name>{} · {}</span><span class=lane><span class=\"bar {}\" \
             style=\"left:{left:.2}%;width:{width:.2}%\"></span></span><span class=time>{:.1} s</span>\
             <span class=result>{}</span></div>",
            html(&row.stage),
            html(&row.step),
            row.class,
            row.seconds,
            html(&row.result)
        );
    }
    let title =
        format!("{} {} · {}", record.operation, html(&record.environment), html(&record.id));
    format!(
        "<!doctype html>\n<meta charset=utf-8>\n<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n{body}"
    )
}

const STYLE: &str = "body{font:14px system-ui;margin:2rem;color:#222}h1{font-size:1.1rem}\
.row{display:grid;grid-template-columns:18rem 1fr 5rem 24rem;gap:.6rem;align-items:center;padding:.1rem 0}\
.name,.result{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.result{color:#666}\
.lane{position:relative;height:.9rem;background:#f2f2f2}.bar{position:absolute;top:0;bottom:0;background:#9bb8a5}\
.write{background:#3b7f5c}.failed{background:#c0392b}.time{text-align:right;font-variant-numeric:tabular-nums}";

struct Row {
    stage: String,
    step: String,
    result: String,
    class: &'static str,
    /// Seconds since the run began.
    start: f64,
    seconds: f64,
}

fn rows(record: &RunRecord) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in &record.planned {
        for step in record.stages.get(name).into_iter().flat_map(|stage| &stage.steps) {
            let end = step.ended_at.unwrap_or(record.last_at);
            let (result, failed) = match &step.result {
                None => ("did not end".to_owned(), true),
                Some(StepResult::Failed { error }) => (error.clone(), true),
                Some(StepResult::Done { outcome }) => (super::lines::detail(outcome), false),
            };
            let class = match (failed, step.effect) {
                (true, _) => "failed",
                (false, Effect::Read) => "read",
                (false, _) => "write",
            };
            rows.push(Row {
                stage: name.clone(),
                step: step.id.clone(),
                result,
                class,
                start: step.started_at.duration_since(record.started_at).as_secs_f64(),
                seconds: end.duration_since(step.started_at).as_secs_f64(),
            });
        }
    }
    rows
}

/// A table cell holds one line and no bar of its own.
fn cell(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace('|', "\\|")
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

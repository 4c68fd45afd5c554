//! What an environment costs in a normal month, from its plan and a dated table of prices: the figures
//! that the README names, and the budgets, which must warn of a bad month and of no other.

mod bill;

use anyhow::Context as _;

use crate::{CheckContext, CheckOutcome, plans::Plans};
use bill::{Bill, Prices};

const PRICES: &str = "terraform/prices.json";
const README: &str = "README.md";

/// The environments whose costs the README names.
const NAMED: [&str; 2] = ["dev", "prod"];

/// The part of a budget that is spent when it warns, as modules/cost has it.
const WARNING: f64 = 0.8;
/// How far a month may be off the computed one and still be normal.
const NORMAL: f64 = 1.1;
/// A budget that warns later than at this multiple of a normal month is none.
const LATE: f64 = 1.4;

/// See the module.
pub(crate) fn check(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let prices: Prices = serde_json::from_str(&context.read(PRICES)?)
        .with_context(|| format!("failed to read `{PRICES}`"))?;
    let readme = context.read(README)?;
    let mut findings = Vec::new();
    let mut told = Vec::new();
    for name in NAMED {
        if !one_line(&readme).contains(&format!("a month for {name}")) {
            findings.push(format!("{README} does not say what {name} costs"));
        }
    }
    for (name, file) in &context.plans()?.environments {
        let plan = Plans::read(file)?;
        let region = plan["variables"]["region"]["value"].as_str().unwrap_or_default();
        if region != prices.region {
            told.push(format!("{name} not known, the prices are not those of {region}"));
            continue;
        }
        let bill = match prices.bill(&plan) {
            Ok(bill) => bill,
            Err(unknown) => {
                findings.push(format!("{name}: {unknown}; add it to {PRICES}"));
                continue;
            }
        };
        findings.extend(figure(&readme, name, &bill));
        let limit = plan["variables"]["budget"]["value"]["monthly_usd"].as_f64();
        findings.extend(budget(name, limit, &bill));
        told.push(format!("{name} {}", bill.rounded()));
    }
    Ok(CheckOutcome::of_findings(&findings, format!("USD a month: {}", told.join(", "))))
}

/// Where the README names a figure, it is the computed one.
fn figure(readme: &str, environment: &str, bill: &Bill) -> Option<String> {
    let named = format!("a month for {environment}");
    let wanted = format!("${} {named}", thousands(bill.rounded()));
    let readme = one_line(readme);
    (readme.contains(&named) && !readme.contains(&wanted))
        .then(|| format!("{README} does not say \"{wanted}\":\n{bill}"))
}

/// The budget, where there is one, warns neither in a normal month nor only in a ruinous one.
fn budget(environment: &str, budget: Option<f64>, bill: &Bill) -> Option<String> {
    let (warns_at, month) = (budget? * WARNING, bill.total());
    let place = format!("terraform/environments/{environment}.tfvars: budget.monthly_usd");
    if warns_at < month * NORMAL {
        return Some(format!(
            "{place} warns at {warns_at:.0} USD, and a normal month takes {month:.0}: set it to {:.0} or more",
            (month * NORMAL / WARNING).ceil()
        ));
    }
    (warns_at > month * LATE).then(|| {
        format!(
            "{place} warns at {warns_at:.0} USD, when a normal month of {month:.0} is long exceeded: set it to {:.0} or less",
            (month * LATE / WARNING).floor()
        )
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `1,830`.
fn thousands(amount: u64) -> String {
    match (amount / 1000, amount % 1000) {
        (0, rest) => rest.to_string(),
        (thousands, rest) => format!("{thousands},{rest:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(usd: f64) -> Bill {
        Bill { items: vec![("everything".to_owned(), usd)] }
    }

    #[test]
    fn a_figure_is_the_computed_one_to_the_nearest_ten() {
        let readme = "About $390 a month\nfor dev and $1,830 a month for prod.";
        assert_eq!(figure(readme, "dev", &bill(388.2)), None);
        assert_eq!(figure(readme, "prod", &bill(1_825.0)), None);
        assert_eq!(figure(readme, "staging", &bill(1.0)), None, "nothing is said of it");
        let found = figure(readme, "prod", &bill(1_850.0)).unwrap();
        assert!(
            found.contains("$1,850 a month for prod") && found.contains("everything"),
            "{found}"
        );
    }

    #[test]
    fn a_budget_warns_of_a_bad_month_alone() {
        assert_eq!(budget("dev", Some(550.0), &bill(390.0)), None);
        assert_eq!(budget("dev", None, &bill(390.0)), None);
        let early = budget("dev", Some(430.0), &bill(390.0)).unwrap();
        assert!(early.contains("warns at 344 USD") && early.contains("537 or more"), "{early}");
        let late = budget("dev", Some(2_000.0), &bill(390.0)).unwrap();
        assert!(late.contains("682 or less"), "{late}");
    }
}

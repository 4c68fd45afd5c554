//! Amounts of resources: `500m`, `1.5Gi`, `1e3`.
//!
//! A real server writes every amount in its shortest exact form, so that `1000m` comes back as `1`:
//! who compares what was rendered with what is live has to know.

/// Billionths of one: the smallest amount there is.
const NANOS: i128 = 1_000_000_000;

const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [(&str, u32); 6] =
    [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// An amount and the family of suffixes that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    nanos: i128,
    family: Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Decimal,
    Binary,
    Exponent,
}

impl Quantity {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (family, scaled) =
            if let Some((_, shift)) = BINARY.iter().find(|(name, _)| *name == suffix) {
                (Family::Binary, decimal(number, 0)?.checked_mul(1 << shift)?)
            } else if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
                (Family::Decimal, decimal(number, *power)?)
            } else {
                let power = suffix.strip_prefix(['e', 'E'])?;
                (Family::Exponent, decimal(number, power.parse().ok()?)?)
            };
        Some(Self { nanos: scaled, family })
    }

    /// Billionths, for comparison.
    pub(crate) fn nanos(self) -> i128 {
        self.nanos
    }

    /// The shortest exact form.
    pub(crate) fn canonical(self) -> String {
        if self.nanos == 0 {
            return "0".to_owned();
        }
        let whole = self.nanos % NANOS == 0;
        if self.family == Family::Binary && whole && (self.nanos / NANOS).abs() >= 1024 {
            let units = self.nanos / NANOS;
            let fits = BINARY.iter().rev().find(|(_, shift)| units % (1 << shift) == 0);
            return fits
                .map_or(units.to_string(), |(name, shift)| format!("{}{name}", units >> shift));
        }
        let fits = DECIMAL.iter().rev().find(|(_, power)| {
            let unit = 10_i128.pow(u32::try_from(power + 9).unwrap_or_default());
            self.nanos % unit == 0
        });
        let Some((name, power)) = fits else { return self.nanos.to_string() };
        let mantissa = self.nanos / 10_i128.pow(u32::try_from(power + 9).unwrap_or_default());
        match (self.family, power) {
            (Family::Exponent, 1..) | (Family::Exponent, ..=-1) => format!("{mantissa}e{power}"),
            _ => format!("{mantissa}{name}"),
        }
    }
}

/// A decimal number times a power of ten, in billionths; digits below that round away from zero.
fn decimal(number: &str, power: i32) -> Option<i128> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    let power = power.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    let nanos = if power >= 0 {
        value.checked_mul(factor)?
    } else {
        value.checked_add(factor - 1)? / factor
    };
    Some(sign * nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Option<String> {
        Quantity::parse(text).map(Quantity::canonical)
    }

    #[test]
    fn amounts_are_written_in_their_shortest_exact_form() {
        for (given, written) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("512Mi", "512Mi"),
            ("1000", "1k"),
            ("0", "0"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("250", "250"),
            ("-1", "-1"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(written), "{given}");
        }
    }

    #[test]
    fn what_is_no_amount_is_not_read() {
        for text in ["", "m", "1.2.3", "1 Gi", "1Kb", "abc", "1e", "--1"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_the_same_amount(number in 0_u32..5_000_000, suffix in "(|m|k|M|Ki|Mi|Gi|u|e3)") {
            let given = Quantity::parse(&format!("{number}{suffix}")).unwrap();
            let written = Quantity::parse(&given.canonical()).unwrap();
            prop_assert_eq!(written.nanos(), given.nanos());
            prop_assert_eq!(written.canonical(), given.canonical());
        }
    }
}

use super::*;
use crate::money;

const HEAD: &str =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
const ROW: &str =
    "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n";

fn read(text: impl AsRef<[u8]>) -> (Vec<Order>, Vec<String>) {
    let (mut orders, mut bad) = (Vec::new(), Vec::new());
    for item in CsvOrders::new("a.csv", text.as_ref()) {
        match item {
            Ok(order) => orders.push(order),
            Err(row) => bad.push(row.to_string()),
        }
    }
    (orders, bad)
}

/// Invoice, first line, count of lines and total of each order.
fn summary(orders: &[Order]) -> Vec<String> {
    orders
        .iter()
        .map(|o| {
            format!(
                "{}:{} {} {}",
                o.invoice,
                o.origin.line,
                o.lines.len(),
                money::text(o.total())
            )
        })
        .collect()
}

fn row(invoice: &str, quantity: i64, price: &str) -> String {
    format!(
        "{invoice},85123A,HEART,{quantity},2010-12-01 08:26:00,{price},17850.0,United Kingdom\n"
    )
}

#[test]
fn rows_of_an_invoice_become_one_order() {
    let (orders, bad) = read([HEAD, ROW, ROW, &row("C536379", -1, "27.5")].concat());
    assert_eq!(summary(&orders), ["536365:2 2 30.60", "C536379:4 1 -27.50"]);
    assert!(bad.is_empty(), "{bad:?}");
    let first = &orders[0];
    assert_eq!(
        (first.customer, &*first.country, first.placed_at.to_string()),
        (Some(17850), "United Kingdom", "2010-12-01T08:26:00".into())
    );
    assert!(!first.is_cancellation() && orders[1].is_cancellation());
}

#[test]
fn an_invoice_whose_rows_cross_a_minute_stays_one_order() {
    let (orders, _) = read([HEAD, ROW, &ROW.replace("08:26", "08:27")].concat());
    assert_eq!(summary(&orders), ["536365:2 2 30.60"]);
    assert_eq!(orders[0].placed_at.to_string(), "2010-12-01T08:26:00");
}

#[test]
fn an_invoice_that_comes_back_is_a_part_of_its_own() {
    let (orders, bad) = read(
        [
            HEAD,
            &row("1", 1, "1"),
            &row("2", 1, "1"),
            &row("1", 2, "1"),
        ]
        .concat(),
    );
    assert_eq!(summary(&orders), ["1:2 1 1.00", "2:3 1 1.00", "1:4 1 2.00"]);
    assert_ne!(orders[0].id(), orders[2].id());
    assert!(bad.is_empty());
}

#[test]
fn rows_that_disagree_in_country_are_not_put_together() {
    let (orders, _) = read([HEAD, ROW, &ROW.replace("United Kingdom", "France")].concat());
    let countries: Vec<&str> = orders.iter().map(|order| &*order.country).collect();
    assert_eq!(countries, ["United Kingdom", "France"]);
}

#[test]
fn a_very_long_invoice_is_cut_into_parts_with_the_same_total() {
    let (orders, _) = read([HEAD, &row("1", 1, "0.01").repeat(MAX_LINES * 2 + 1)].concat());
    assert_eq!(
        summary(&orders),
        ["1:2 2000 20.00", "1:2002 2000 20.00", "1:4002 1 0.01"]
    );
}

#[test]
fn customer_is_none_where_the_column_is_empty() {
    let (orders, bad) = read([HEAD, &ROW.replace("17850.0", "")].concat());
    assert_eq!((orders[0].customer, bad.len()), (None, 0));
}

#[test]
fn crlf_byte_order_mark_blanks_and_case_of_the_header_do_not_matter() {
    let text = format!("\u{feff}{HEAD}{ROW}")
        .to_uppercase()
        .replace('\n', "\r\n")
        .replace(",6,", ", 6 ,")
        .replace(",UNITED", ", UNITED");
    let (orders, bad) = read(text);
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(
        (summary(&orders), &*orders[0].country),
        (vec!["536365:2 1 15.30".to_owned()], "UNITED KINGDOM")
    );
}

#[test]
fn quotes_commas_and_line_breaks_stay_in_the_description() {
    let text = ROW.replace("WHITE HANGING HEART", "\"7\"\" FRAME,\nSMALL \"");
    let (orders, bad) = read([HEAD, &text, ROW].concat());
    assert!(bad.is_empty(), "{bad:?}");
    let json = serde_json::to_value(&orders[0].lines[0]).unwrap();
    assert_eq!(json["description"], "7\" FRAME,\nSMALL ");
    assert_eq!(orders[0].lines.len(), 2);
}

#[test]
fn a_description_that_is_not_utf_8_keeps_its_money() {
    let text = [
        HEAD.as_bytes(),
        &ROW.as_bytes()[..14],
        b"\xA3",
        &ROW.as_bytes()[14..],
    ]
    .concat();
    let (orders, bad) = read(text);
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(summary(&orders), ["536365:2 1 15.30"]);
}

#[test]
fn each_bad_value_is_reported_with_its_line_and_the_invoice_goes_on() {
    for (from, to, expected) in [
        (
            ",6,",
            ",six,",
            r#"a.csv:3: Quantity "six" is not a whole number"#,
        ),
        (",6,", ",6.5,", r#"a.csv:3: Quantity "6.5" is not"#),
        (
            ",6,",
            ",99999999999999999999,",
            r#"a.csv:3: Quantity "99999999999999999999" is not"#,
        ),
        (
            ",6,",
            ",1000001,",
            "a.csv:3: quantity 1000001 is out of range",
        ),
        (",2.55,", ",,", r#"a.csv:3: UnitPrice "" is not a number"#),
        (",2.55,", ",1e3,", r#"a.csv:3: UnitPrice "1e3" is not"#),
        (",2.55,", ",NaN,", r#"a.csv:3: UnitPrice "NaN" is not"#),
        (
            ",2.55,",
            ",1.640000001,",
            "a.csv:3: unit price 1.640000001 is out of range",
        ),
        (",2.55,", ",£2.55,", r#"a.csv:3: UnitPrice "£2.55" is not"#),
        (
            "17850.0",
            "17850.5",
            r#"a.csv:3: CustomerID "17850.5" is not"#,
        ),
        ("17850.0", "-1", r#"a.csv:3: CustomerID "-1" is not"#),
        (
            "2010-12-01 08:26:00",
            "1.12.2010",
            r#"a.csv:3: InvoiceDate "1.12.2010" is not"#,
        ),
        (
            "2010-12-01 08:26:00",
            "2010-02-30 08:26:00",
            r#"a.csv:3: InvoiceDate "2010-02-30 08:26:00" is not"#,
        ),
        ("536365", "", r#"a.csv:3: InvoiceNo "" is not"#),
        ("United Kingdom", " ", r#"a.csv:3: Country "" is not"#),
        (",United Kingdom", "", "a.csv:3: columns: 7 instead of 8"),
        ("United Kingdom", "UK,", "a.csv:3: columns: 9 instead of 8"),
        ("WHITE", "\"WHITE", "a.csv:3: a quote is opened"),
        ("WHITE", &"W".repeat(5000), "a.csv:3: the row is longer"),
    ] {
        let (orders, bad) = read([HEAD, ROW, &ROW.replace(from, to), ROW].concat());
        assert_eq!(summary(&orders), ["536365:2 2 30.60"], "{to}");
        assert!(
            bad.len() == 1 && bad[0].starts_with(expected),
            "{to}: {bad:?}"
        );
    }
}

#[test]
fn an_empty_file_is_reported_and_one_with_a_header_only_is_not() {
    for empty in ["", "\n\r\n", "\u{feff}"] {
        let (orders, bad) = read(empty);
        assert!(
            orders.is_empty() && bad.len() == 1 && bad[0].starts_with("a.csv:1: the file is empty"),
            "{bad:?}"
        );
    }
    assert_eq!(read(HEAD), (vec![], vec![]));
}

#[test]
fn a_file_without_a_header_is_reported_and_its_first_row_counts() {
    let (orders, bad) = read(ROW.repeat(2));
    assert_eq!(summary(&orders), ["536365:1 2 30.60"]);
    assert!(
        bad.len() == 1 && bad[0].starts_with("a.csv:1: the header is missing"),
        "{bad:?}"
    );
}

#[test]
fn a_torn_last_row_is_reported() {
    let text = [HEAD, ROW, &ROW[..40]].concat();
    let (orders, bad) = read(text);
    assert_eq!(summary(&orders), ["536365:2 1 15.30"]);
    assert!(
        bad.len() == 1 && bad[0].starts_with("a.csv:3: columns: 5"),
        "{bad:?}"
    );
}

#[test]
fn any_bytes_at_all_are_no_reason_to_panic() {
    let text = [HEAD, &ROW.replace("WHITE", "\"7\"\" WHITE\""), ROW]
        .concat()
        .into_bytes();
    for at in 0..text.len() {
        for byte in [0, b'"', b',', b'\n', b'\r', b'-', b'9', 0xFF] {
            let mut text = text.clone();
            text[at] = byte;
            read(text);
        }
        read(&text[..at]);
    }
}

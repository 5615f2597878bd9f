//! What an order becomes: an invoice, or a refund.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::order::Order;

/// An entry for the ledger's invoices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Invoice(pub(crate) Entry);

/// An entry for the ledger's refunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Refund(pub(crate) Entry);

/// What the ledger takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Booking {
    /// It is owed to the shop.
    Invoice(Invoice),
    /// It is owed by the shop.
    Refund(Refund),
}

/// What invoices and refunds have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The order's; the same entry has the same id however often it arrives.
    pub(crate) id: String,
    /// Number of the invoice; parts of an invoice share it.
    pub(crate) number: String,
    /// Country of the customer.
    pub(crate) country: String,
    /// How many lines.
    pub(crate) lines: u64,
    /// Exact sum over the lines.
    #[serde(with = "crate::money::exact")]
    pub(crate) total: Decimal,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Billed {
    /// To the invoices.
    Invoice(Invoice),
    /// To the refunds.
    Refund(Refund),
}

impl Billed {
    /// Routes an order: cancellations are refunds, everything else is an invoice.
    pub(crate) fn from_order(order: &Order) -> Self {
        let entry = Entry {
            id: order.id(),
            number: order.invoice.clone(),
            country: order.country.clone(),
            lines: order.lines.len() as u64,
            total: order.total(),
        };
        if order.is_cancellation() {
            Self::Refund(Refund(entry))
        } else {
            Self::Invoice(Invoice(entry))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::samples::{line, order};

    #[test]
    fn a_cancellation_is_a_refund_and_everything_else_an_invoice() {
        for (number, refund) in [("C536379", true), ("536365", false), ("A563185", false)] {
            let billed = Billed::from_order(&order(number, vec![line(-1, "27.50")]));
            assert_eq!(matches!(billed, Billed::Refund(_)), refund, "{number}");
        }
    }

    #[test]
    fn the_message_carries_its_total_as_text() {
        let Billed::Invoice(invoice) =
            Billed::from_order(&order("536365", vec![line(6, "2.55"), line(3, "0.1")]))
        else {
            panic!("it is no cancellation");
        };
        let json = serde_json::to_string(&invoice).unwrap();
        assert_eq!(
            json,
            r#"{"id":"536365@2010-12-01.csv:2","number":"536365","country":"United Kingdom","lines":2,"total":"15.60"}"#
        );
        assert_eq!(serde_json::from_str::<Invoice>(&json).unwrap(), invoice);
    }
}

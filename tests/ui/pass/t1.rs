use mq::prelude::*;
use serde::{Deserialize, Serialize};
#[derive(Deserialize, Serialize)]
struct Order { country: String }
#[derive(Serialize)]
struct Invoice { total: u32 }
#[derive(Clone)]
struct Rates;

#[derive(Debug, thiserror::Error, Failure)]
enum BillingError {
    #[error("rates service is away")]            #[failure(retry)]                 RatesAway(#[from] std::io::Error),
    #[error("no rate for {0}")]                  #[failure(dead_letter)]           UnknownCountry(String),
    #[error("order {0} was cancelled already")]  #[failure(discard)]               Cancelled(String),
    #[error("bank asks us to come back")]        #[failure(retry_after = "30s")]   Busy,
}

/// Bills.
#[stream_listener(input = "orders", output = "invoices", group = "billing", attempts = 5, delayed = ["1m"])]
async fn bill(Json(order): Json<Order>, State(_rates): State<Rates>, #[output("log")] _log: Output<Order>) -> Result<Json<Invoice>, BillingError> {
    if order.country.is_empty() { return Err(BillingError::Busy); }
    Ok(Json(Invoice { total: 3 }))
}

#[stream_listener(input = "greetings")]
async fn print(Text(greeting): Text) { println!("{greeting}") }

#[stream_listener(input = "lines", batch(max = 500, wait = "50ms"))]
async fn index(orders: Batch<Json<Order>>, State(_s): State<Rates>) -> Result<Outcomes, BillingError> {
    Ok(orders.outcomes(orders.values().map(|_| Ok::<_, BillingError>(()))))
}

fn main() {
    println!("{:?}", mq::listener_of!(bill).settings);
    println!("{:#?}", mq::registry::listeners());
    let f: Failure = BillingError::Cancelled("x".into()).into();
    let _ = mq::App::builder();
    let g: Failure = BillingError::Cancelled("x".into()).into();
    println!("{f:?} {g:?}");
    let _ = (BillingError::UnknownCountry(String::new()), Order { country: String::new() }.country);
}

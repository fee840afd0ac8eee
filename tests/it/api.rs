//! The API over HTTP.

mod abuse;
mod audit;
mod broken_http;
mod checks;
mod console;
mod contract;
mod diagnosis;
mod diagnosis_rows;
mod fairness;
mod language;
mod last_check;
mod last_resort;
mod live;
mod microsoft365;
mod openapi;
mod quotas;
mod replicas;
mod requests;
mod rfc6902;
mod secrets_stay;
mod shared_limits;
mod sign_in;
mod slow_clients;
mod tenancy;
mod traces;

//! What Prometheus is told of completions, counted since this process started.

use api::MeshModel;
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Result};
use store::CompletionEnd;

use super::coordinator::LinkedAgent;

/// In seconds: engines think for a while.
const FIRST_BYTE: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Clone)]
pub(crate) struct Counters {
    completions: IntCounterVec,
    tokens: IntCounterVec,
    first_byte: HistogramVec,
}

// === impl Counters ===

impl Counters {
    pub(super) fn new() -> Result<Self> {
        let completions = Opts::new("nanoscale_mesh_completions_total", "Requests for models that have ended.");
        let tokens = Opts::new("nanoscale_mesh_tokens_total", "Tokens that were read and written, and paid.");
        let first = "nanoscale_mesh_first_byte_seconds";
        let first = HistogramOpts::new(first, "Until an answer began, or was there as a whole.");
        Ok(Self {
            completions: IntCounterVec::new(completions, &["model", "state"])?,
            tokens: IntCounterVec::new(tokens, &["model", "direction"])?,
            first_byte: HistogramVec::new(first.buckets(FIRST_BYTE.to_vec()), &["model"])?,
        })
    }

    pub(super) fn ended(&self, model: &str, end: &CompletionEnd) {
        self.completions.with_label_values(&[model, end.state.as_str()]).inc();
        for (direction, tokens) in [("input", end.input_tokens), ("output", end.output_tokens)] {
            self.tokens.with_label_values(&[model, direction]).inc_by(u64::try_from(tokens).unwrap_or_default());
        }
        if let Some(milliseconds) = end.first_byte_ms {
            #[expect(clippy::cast_precision_loss, reason = "the time until an answer begins is short")]
            self.first_byte.with_label_values(&[model]).observe(milliseconds as f64 / 1000.0);
        }
    }

    /// With what holds at this moment: the machines that are linked.
    pub(super) fn families(&self, agents: &[LinkedAgent]) -> Result<Vec<Box<dyn Collector>>> {
        let linked = Opts::new("nanoscale_mesh_machine_linked", "1 for each machine that is linked and serves models.");
        let linked = IntGaugeVec::new(linked, &["machine", "version"])?;
        let busy = Opts::new("nanoscale_mesh_machine_busy", "Requests that a machine works at, or that wait for it.");
        let busy = IntGaugeVec::new(busy, &["machine", "model"])?;
        for LinkedAgent { node_id, version, shown, .. } in agents {
            linked.with_label_values(&[node_id.as_str(), version]).set(1);
            for MeshModel { name, busy: requests, .. } in &shown.models {
                busy.with_label_values(&[node_id.as_str(), name]).set((*requests).into());
            }
        }
        let (completions, tokens) = (self.completions.clone(), self.tokens.clone());
        Ok(vec![
            Box::new(completions),
            Box::new(tokens),
            Box::new(self.first_byte.clone()),
            Box::new(linked),
            Box::new(busy),
        ])
    }
}

// Truncation of a distribution before a draw: top-k, typical, top-p and min-p. Selects, never
// sorts: expected time is linear in the number of candidates.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/params.h"

namespace cachalot::cpu {

/** A token that may be drawn. Among equal logits the smaller id counts as likelier. */
struct Candidate {
  int32_t token;
  float logit;
  double weight;  // e^((logit - max) / temperature)
};

/** The k likeliest of those whose logits reach `threshold`, in any order, without weights. */
std::vector<Candidate> top_k(const float* logits, int32_t vocabulary, int32_t k, float threshold);

/** Keeps the candidates that the row's typical, top-p and min-p allow; at least one. `total` is the
 * weight of all tokens, also of those that are too unlikely to be candidates. */
void truncate(const SampleRow& row, double total, std::vector<Candidate>* candidates);

}  // namespace cachalot::cpu

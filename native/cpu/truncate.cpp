#include "cpu/truncate.h"

#include <algorithm>
#include <cmath>

namespace cachalot::cpu {

namespace {

using Candidates = std::vector<Candidate>;

bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

double total_weight(const Candidates& candidates) {
  double total = 0;
  for (const auto& candidate : candidates) total += candidate.weight;
  return total;
}

/** Keeps the first candidates, in the order of `before`, up to the one with which their weight
 * reaches `target`: halves the part in question until one candidate is left. */
template <typename Before>
void keep_weight(double target, Before before, Candidates* candidates) {
  auto first = candidates->begin(), last = candidates->end();
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, before);
    double weight = 0;
    for (auto i = first; i != middle; ++i) weight += i->weight;
    if (weight >= target) {
      last = middle;
    } else {
      target -= weight;
      first = middle;
    }
  }
  candidates->erase(last, candidates->end());
}

/** Keeps those whose surprise is nearest to the expected one, until they hold a share p. */
void keep_typical(double p, double total, Candidates* candidates) {
  double entropy = 0;
  for (const auto& candidate : *candidates) {
    const double share = candidate.weight / total;
    if (share > 0) entropy -= share * std::log(share);
  }
  const auto distance = [&](const Candidate& candidate) {
    return std::abs(-std::log(candidate.weight / total) - entropy);
  };
  const auto nearer = [&](const Candidate& a, const Candidate& b) {
    const double x = distance(a), y = distance(b);
    return x != y ? x < y : likelier(a, b);
  };
  keep_weight(p * total, nearer, candidates);
}

void keep_min_p(double p, Candidates* candidates) {
  double largest = 0;
  for (const auto& candidate : *candidates) largest = std::max(largest, candidate.weight);
  std::erase_if(*candidates,
                [&](const Candidate& candidate) { return candidate.weight < p * largest; });
}

}  // namespace

std::vector<Candidate> top_k(const float* logits, int32_t vocabulary, int32_t k, float threshold) {
  Candidates heap;  // the least likely of the likeliest so far on top
  for (int32_t token = 0; token < vocabulary; token++) {
    const float logit = logits[token];
    if (!(logit >= threshold)) continue;
    if (heap.size() == static_cast<size_t>(k)) {
      if (logit <= heap.front().logit) continue;  // an equal one has a larger id
      std::pop_heap(heap.begin(), heap.end(), likelier);
      heap.pop_back();
    }
    heap.push_back({token, logit, 0});
    std::push_heap(heap.begin(), heap.end(), likelier);
  }
  return heap;
}

void truncate(const SampleRow& row, double total, Candidates* candidates) {
  if (row.typical_p < 1) {
    keep_typical(row.typical_p, total, candidates);
    total = total_weight(*candidates);
  }
  if (row.top_p < 1) keep_weight(row.top_p * total, likelier, candidates);
  if (row.min_p > 0) keep_min_p(row.min_p, candidates);
}

}  // namespace cachalot::cpu

#include "attention/merges.h"

#include <numeric>
#include <utility>

namespace cachalot {

namespace {

/** The partials of row `of` of a part: entries [begin[of], begin[of + 1]), in their order. */
struct SortedPartials {
  std::vector<int32_t> begin;
  std::vector<PartialOfRow> entries;
};

/** A counting sort. */
SortedPartials sort_partials(const PartialsOfRows& partials) {
  SortedPartials sorted;
  sorted.begin.resize(partials.n_rows_of_parts + 1);
  sorted.entries.resize(partials.partials.size());
  for (const PartialOfRow& partial : partials.partials)
    sorted.begin[static_cast<size_t>(partial.of)]++;
  std::exclusive_scan(sorted.begin.begin(), sorted.begin.end(), sorted.begin.begin(), 0);
  std::vector<int32_t> next(sorted.begin);
  for (const PartialOfRow& partial : partials.partials)
    sorted.entries[static_cast<size_t>(next[static_cast<size_t>(partial.of)]++)] = partial;
  return sorted;
}

/** Which of the plan's blends each part is in; -1: none. Empty if there are no blends. */
std::vector<int32_t> number_blends(std::span<const PlanSequence> sequences,
                                   std::span<const int32_t> first_part, AttentionPlan* plan) {
  std::vector<int32_t> blends;
  for (size_t i = 0; i < sequences.size(); i++) {
    const auto& parts = sequences[i].parts;
    int32_t number = -1;
    for (size_t j = 0; j < parts.size(); j++) {
      const bool goes_on = j > 0 && parts[j].blend >= 0 && parts[j].blend == parts[j - 1].blend;
      if (!goes_on) {
        number = -1;
        if (parts[j].blend >= 0 && parts[j].lse_factor != 1.0f) {
          number = static_cast<int32_t>(plan->blend_factors.size());
          plan->blend_factors.push_back(parts[j].lse_factor);
        }
      }
      if (number < 0) continue;
      blends.resize(plan->parts.size(), -1);
      blends[static_cast<size_t>(first_part[i]) + j] = number;
    }
  }
  return blends;
}

/** Where each row of the step is: (sequence, its row). */
std::vector<std::pair<int32_t, int32_t>> places_of(std::span<const PlanSequence> sequences) {
  size_t n_rows = 0;
  for (const PlanSequence& sequence : sequences) n_rows += sequence.rows.size();
  std::vector<std::pair<int32_t, int32_t>> places(n_rows);
  for (size_t i = 0; i < sequences.size(); i++) {
    for (size_t j = 0; j < sequences[i].rows.size(); j++)
      places[static_cast<size_t>(sequences[i].rows[j].row)] = {static_cast<int32_t>(i),
                                                               static_cast<int32_t>(j)};
  }
  return places;
}

}  // namespace

void add_merges(std::span<const PlanSequence> sequences, const PartialsOfRows& partials,
                AttentionPlan* plan) {
  const SortedPartials sorted = sort_partials(partials);
  const std::vector<int32_t> blends = number_blends(sequences, partials.first_part, plan);
  const auto places = places_of(sequences);
  plan->merge_begin.reserve(places.size() + 1);
  plan->merge_begin.push_back(0);
  plan->merge_entries.reserve(sorted.entries.size());
  for (const auto& [sequence, row] : places) {
    int group = -1;
    const auto first = static_cast<size_t>(partials.first_part[static_cast<size_t>(sequence)]);
    const size_t n_parts = sequences[static_cast<size_t>(sequence)].parts.size();
    for (size_t part = first; part < first + n_parts; part++) {
      const int32_t blend = blends.empty() ? -1 : blends[part];
      const auto of = static_cast<size_t>(partials.first_row[part] + row);
      int32_t before = -1;
      for (int32_t i = sorted.begin[of]; i < sorted.begin[of + 1]; i++) {
        const PartialOfRow& entry = sorted.entries[static_cast<size_t>(i)];
        if (entry.span_group != before) group++;
        before = entry.span_group;
        plan->merge_entries.push_back({entry.partial, group, blend});
      }
    }
    plan->merge_begin.push_back(static_cast<int32_t>(plan->merge_entries.size()));
  }
}

}  // namespace cachalot

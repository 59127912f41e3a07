#include "model/stretch.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace cachalot {

namespace {

void expect(bool holds, const std::string& expected) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, "`rope`: expected " + expected);
}

constexpr float kMostFactor = 1024;

/** NTK-aware scaling: the longest wavelength grows by `factor`, the shortest stays (bloc97 2023;
 * LongLLaDA and E²-LLM use it). */
float ntk_base(const RopeConfig& rope) {
  const double power = static_cast<double>(rope.dims) / std::max(1, rope.dims - 2);
  return static_cast<float>(rope.base * std::pow(static_cast<double>(rope.factor), power));
}

/** Replaces the file's way of stretching. `trained`: the length that it was trained for. */
void set_scaling(const RopeOptions& options, int trained, RopeConfig* rope) {
  const std::string& name = options.scaling;
  if (name == "longrope") {
    expect(rope->scaling == RopeScaling::kLongRope,
           "a model with tables for short and long contexts, for the scaling \"longrope\"");
    return;
  }
  const bool has_factor = name == "linear" || name == "ntk" || name == "yarn";
  expect(has_factor || name == "none", "the scaling none, linear, ntk, yarn or longrope");
  expect(has_factor == (options.factor != 0),
         has_factor ? "a `factor` for the scaling " + name : "no `factor` without a scaling");
  rope->scaling = RopeScaling::kNone;
  rope->attention_factor = 1;
  rope->divisors.clear();  // of Llama 3's scaling, which GGUF files have as a tensor
  if (!has_factor) return;
  expect(options.factor > 0 && options.factor <= kMostFactor, "a `factor` above 0, up to 1024");
  rope->factor = options.factor;
  if (name == "linear") rope->scaling = RopeScaling::kLinear;
  if (name == "ntk") rope->base = ntk_base(*rope);
  if (name == "yarn") {
    expect(rope->base > 1, "a base above 1 for the scaling yarn");
    rope->scaling = RopeScaling::kYarn;
    if (rope->original_context == 0) rope->original_context = trained;
    rope->attention_factor = 0.1f * std::log(std::max(rope->factor, 1.0f)) + 1.0f;
  }
}

}  // namespace

int stretch_positions(const RopeOptions& options, int asked_context, ModelConfig* config) {
  RopeConfig& rope = config->rope;
  const int trained = config->context_length;
  if (options.base != 0) {
    expect(std::isfinite(options.base) && options.base > 0, "a `base` above 0");
    rope.base = options.base;
  }
  if (!options.scaling.empty()) set_scaling(options, trained, &rope);
  else expect(options.factor == 0, "a `scaling`, if there is a `factor`");
  if (!options.table.empty()) {
    const auto n_pairs = static_cast<size_t>(rope.dims / 2);
    const auto is_divisor = [](float divisor) { return std::isfinite(divisor) && divisor > 0; };
    expect(options.table.size() == n_pairs, "a `table` of " + std::to_string(n_pairs) +
                                                " numbers for this model, not " +
                                                std::to_string(options.table.size()));
    expect(std::ranges::all_of(options.table, is_divisor), "positive numbers in the `table`");
    expect(rope.scaling != RopeScaling::kLongRope, "no `table` for a model that has its own");
    rope.divisors = options.table;
  }
  const double grown = options.factor > 0 ? double{options.factor} * trained : trained;
  const int most = options.is_given() ? static_cast<int>(kMaxContext) : trained;
  if (asked_context > most)
    throw Error(ErrorCode::kInvalidArgument,
                "`contextLength` is " + std::to_string(asked_context) +
                    ", but the model was trained for " + std::to_string(trained) +
                    "; `rope` stretches its positions over longer contexts");
  const int context = asked_context != 0
                          ? asked_context
                          : static_cast<int>(std::clamp<double>(grown, 1, double{kMaxContext}));
  if (rope.scaling == RopeScaling::kLongRope)
    rope.divisors = context > rope.original_context ? rope.long_divisors : rope.short_divisors;
  return context;
}

}  // namespace cachalot

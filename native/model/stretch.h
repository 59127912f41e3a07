// How a user stretches a model's rotary positions over longer contexts than it was trained for.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"

namespace cachalot {

struct RopeOptions {
  std::string scaling;       // "none", "linear", "ntk", "yarn", "longrope"; empty: the file's
  float factor = 0;          // linear, ntk, yarn: by which contexts grow
  float base = 0;            // 0: the file's
  std::vector<float> table;  // what each pair's frequency is divided by, [dims / 2]; or empty

  bool is_given() const { return !scaling.empty() || base != 0 || !table.empty(); }
};

/** Applies the options to a model's config, and chooses between its tables for short and for long
 * contexts. Returns the length of contexts: as asked, or if that is 0 what the model was trained
 * for, times the factor. Throws invalid_argument. */
int stretch_positions(const RopeOptions& options, int asked_context, ModelConfig* config);

}  // namespace cachalot

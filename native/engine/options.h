// The options that a caller may choose when an engine is loaded.
#pragma once

#include <cstdint>
#include <string>

#include "model/stretch.h"

namespace cachalot {

struct EngineOptions {
  std::string device = "auto";        // "auto", "cpu", "cuda", "cuda:1", ...
  std::string cuda_library;           // its path; empty: beside the addon
  std::string instructions = "auto";  // cpu: "auto", "avx512", "avx2", "portable"
  int threads = 0;                    // 0: one per core
  int context_length = 0;             // 0: the length that the model was trained for
  RopeOptions rope{};                 // how positions are stretched, if not as the file says
  int step_tokens = 512;              // rows of a step
  uint64_t kv_bytes = 0;  // 0: a quarter of the memory that the process can have, and at most half
                          // of the memory that is left; on a GPU, what the weights leave. Never
                          // more than the contexts need
  std::string kv_format = "auto";  // "auto", "f32", "bf16"
  double max_step_ms = 0;          // target for the time between tokens; 0: none
  std::string grouping = "auto";   // shared prefixes are read together: "auto", "always", "never"
  std::string costs_folder;        // where measured costs are kept; empty: nowhere
  std::string layout_path;         // weights that an earlier load has packed; empty: none
  std::string machine;             // names this machine among others that use the folder
  bool reuse = true;               // false: prompts find nothing in the cache; for benchmarks
  bool check_invariants = false;   // tests: after every step
  std::string draft_model;         // the path of a smaller model that guesses; empty: none
  bool always_drafts = false;      // tests: every guess is tried, whatever it costs
  bool keep_parts = false;         // tests: preambles are not brought into canonical form
};

}  // namespace cachalot

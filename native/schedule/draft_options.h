// Which guesses a request wants to be tried, and what came of them.
#pragma once

#include <cstdint>
#include <vector>

namespace cachalot {

/** What never changes an answer: guessed tokens are kept only if they are what is drawn. */
struct DraftOptions {
  bool lookup = false;   // copies from the text, and from others of its namespace
  bool recycle = false;  // the likeliest tokens after a token, when it was last seen
  bool trigram = false;  // what mostly followed the last two tokens in this text
  bool jacobi = false;   // what was drawn for a place when the tokens before it were others
  bool model = false;    // what the engine's draft model draws
  int scripted = 0;      // tests: not 0: a seed of guesses that are right, wrong, or both
  int max_tokens = 16;   // the longest guess
  std::vector<int32_t> prediction;  // text that will perhaps be generated

  bool any() const {
    return lookup || recycle || trigram || jacobi || model || scripted != 0 || !prediction.empty();
  }
};

/** What a drafter reads in place of the prompt, and how far the answer follows it (RAPID). */
struct DraftContext {
  std::vector<int32_t> tokens;  // none: there is no such drafter
  float factor = 0;             // 0: the answer is the model's own
};

struct DraftUse {
  int proposed = 0;  // tokens that were tried
  int accepted = 0;  // of these, that were right: steps that were not needed
};

}  // namespace cachalot

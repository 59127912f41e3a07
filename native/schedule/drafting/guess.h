// The kinds of guesses that speculators make, and how often each kind turns out right.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace cachalot {

/** Guesses of one kind are about as often right. Where a kind has several grades, they follow each
 * other. */
enum GuessKind : uint8_t {
  kExpectedText = 0,  // what the user says will come
  kOwnText,           // what followed the last tokens before in the same text; by their number
  kOtherText = kOwnText + 4,  // the same, in another text
  kTrigram = kOtherText + 4,  // what mostly followed the last two tokens; by how mostly
  kRecycled = kTrigram + 4,   // the likeliest tokens after a token, when last seen; by rank
  kJacobi = kRecycled + 8,    // what was drawn at this place after other tokens
  kModel = kJacobi + 1,       // a draft model's; by its probability
  kForced = kModel + 4,       // text that must come, in one of the ways to write it
  kScripted = kForced + 1,    // of tests
  kGuessKinds = kScripted + 1,
};

/** The grade of a guess after n equal tokens: 2, 3 or 4, 5 to 9, more. */
constexpr uint8_t grade_of_match(int n) { return n < 3 ? 0 : n < 5 ? 1 : n < 10 ? 2 : 3; }
/** The grade of a guess of probability p. */
constexpr uint8_t grade_of_share(double p) { return p < 0.25 ? 0 : p < 0.5 ? 1 : p < 0.75 ? 2 : 3; }
constexpr uint8_t graded(GuessKind kind, uint8_t grade) {
  return static_cast<uint8_t>(kind + grade);
}

/** How often guesses of each kind are thought to be right before anything is known: what a model
 * shows soon takes their place. */
constexpr std::array<float, kGuessKinds> kUsualRates{
    0.80f,                                                   // the expected text
    0.20f, 0.40f, 0.70f, 0.90f,                              // own text, by length
    0.20f, 0.35f, 0.60f, 0.85f,                              // other text
    0.15f, 0.30f, 0.45f, 0.60f,                              // trigrams, by share
    0.35f, 0.13f, 0.08f, 0.06f, 0.04f, 0.03f, 0.02f, 0.02f,  // recycled, by rank
    0.15f,                                                   // Jacobi
    0.15f, 0.35f, 0.60f, 0.80f,                              // a draft model's, by probability
    0.70f,                                                   // forced text
    0.50f};

/** The share of guesses that were right, of each kind: a mean that forgets what is long ago. */
class Acceptance {
 public:
  Acceptance() {
    for (size_t kind = 0; kind < kGuessKinds; kind++) rates_[kind].mean = kUsualRates[kind];
  }

  /** Of a guess whose predecessors are right. */
  float rate(uint8_t kind) const { return std::min(kMost, rates_[kind].mean); }
  /** Of all guesses of a draft model. */
  double model_rate() const {
    double sum = 0, n = 0;
    for (size_t kind = kModel; kind < kModel + 4; kind++) {
      sum += double{rates_[kind].n} * rates_[kind].mean;
      n += rates_[kind].n;
    }
    return sum / n;
  }
  void learn(uint8_t kind, bool is_right) {
    Rate& rate = rates_[kind];
    rate.n = std::min(rate.n + 1, kMemory);
    rate.mean += ((is_right ? 1.0f : 0.0f) - rate.mean) / rate.n;
  }
  /** A new sequence begins with what others have learned, and soon trusts its own. */
  Acceptance for_sequence() const {
    Acceptance own = *this;
    for (Rate& rate : own.rates_) rate.n = std::min(rate.n, kTrust);
    return own;
  }

 private:
  struct Rate {
    float mean = 0;
    float n = 4;  // guesses that the mean stands for
  };
  static constexpr float kMemory = 48, kTrust = 8;
  static constexpr float kMost = 0.98f;  // nothing is certain, and a node is worth less than its
                                         // parent
  std::array<Rate, kGuessKinds> rates_{};
};

}  // namespace cachalot

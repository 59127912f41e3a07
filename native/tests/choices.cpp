#include "tests/choices.h"

#include <functional>
#include <memory>
#include <vector>

#include "base/check.h"
#include "schedule/drafting/drafting.h"
#include "schedule/sequence.h"

namespace cachalot::tests {

namespace {

/** Guesses that the next tokens count up from the last one, or nothing. */
class Counter final : public Speculator {
 public:
  explicit Counter(bool guesses) : guesses_(guesses) {}
  void propose(std::span<const int32_t> tokens, GuessTree* tree) override {
    if (!guesses_) return;
    int node = GuessTree::kNone;
    for (int32_t token = tokens.back() + 1; node >= -1; token++) {
      node = tree->add(node, token, kScripted);
      if (node < 0) return;
    }
  }

 private:
  bool guesses_;
};

/** Some sequences that take steps of a given cost. A sequence whose id is below `n_counting` counts
 * up with every token, as guessed, or only `right` in ten do. */
class Scene {
 public:
  Scene(int n, int n_counting, int right, std::function<double(int)> cost)
      : drafting_([n_counting](const Sequence& sequence) {
          Drafter::Speculators made;
          made.push_back(
              std::make_unique<Counter>(sequence.id < static_cast<uint64_t>(n_counting)));
          return made;
        }),
        cost_(std::move(cost)),
        right_(right) {
    for (int i = 0; i < n; i++) {
      sequences_.push_back(std::make_unique<Sequence>());
      sequences_.back()->id = static_cast<uint64_t>(i);
      sequences_.back()->tokens = {0};
    }
  }

  /** Milliseconds for a token, in the mean over the sequences, of the last half of the steps. */
  double run(int n_steps) {
    double ms = 0;
    std::vector<size_t> before;
    for (int i = 0; i < n_steps; i++) {
      if (i == n_steps / 2) {
        ms = 0;
        for (const auto& one : sequences_) before.push_back(one->tokens.size());
      }
      ms += step();
    }
    double sum = 0;
    for (size_t i = 0; i < sequences_.size(); i++)
      sum += ms / static_cast<double>(sequences_[i]->tokens.size() - before[i]);
    return sum / static_cast<double>(sequences_.size());
  }

 private:
  double step() {
    std::vector<Drafting::Candidate> candidates;
    for (const auto& one : sequences_) candidates.push_back({0, one.get(), 16});
    const auto n = static_cast<int>(sequences_.size());
    const auto trees = drafting_.choose(candidates, {n, 400, 0});
    int rows = n;
    for (const TokenTree& tree : trees) rows += tree.size();
    const double ms = cost_(rows);
    drafting_.learn(rows, ms);
    for (size_t i = 0; i < sequences_.size(); i++) take(sequences_[i].get(), trees[i]);
    return ms;
  }

  /** Goes on with what is drawn, as long as it was guessed. */
  void take(Sequence* sequence, const TokenTree& tree) {
    const size_t n_before = sequence->tokens.size();
    for (int node = -1;;) {
      const int32_t last = sequence->tokens.back();
      n_drawn_++;
      const int32_t drawn = n_drawn_ % 10 < static_cast<uint64_t>(right_) ? last + 1 : 0;
      sequence->tokens.push_back(drawn);
      node = tree.find(node, drawn);
      if (node < 0) break;
    }
    drafting_.observe(sequence, {}, std::span(sequence->tokens).subspan(n_before));
  }

  Drafting drafting_;
  std::function<double(int)> cost_;
  int right_;
  uint64_t n_drawn_ = 0;
  std::vector<std::unique_ptr<Sequence>> sequences_;
};

}  // namespace

std::string guesses_pay() {
  const auto flat = [](int) { return 10.0; };
  const auto by_row = [](int rows) { return 10.0 * rows; };
  const auto usual = [](int rows) { return 10.0 + 0.8 * (rows - 1); };
  CHECK(Scene(1, 1, 10, flat).run(400) < 10.0 / 8, "rows that cost nothing are used");
  CHECK(Scene(1, 1, 10, usual).run(400) < 10.0 / 3, "a copy comes several times as fast");
  const double some = Scene(1, 1, 5, usual).run(400);
  CHECK(some < 9 && some > 3,
        "half of the guesses right: a few are tried, " + std::to_string(some) + " ms a token");
  const double wrong = Scene(1, 1, 0, usual).run(400);
  CHECK(wrong < 10.2, "guesses that are never right are given up");
  Scene dear(1, 1, 10, by_row);
  CHECK(dear.run(400) < 10.3, "rows that cost a step each do not pay, however right");
  const auto mean = [&](int n_counting) {
    const double ms = Scene(8, n_counting, 10, usual).run(400);
    return ms / usual(8);
  };
  CHECK(mean(8) < 0.6, "eight that copy gain together");
  CHECK(mean(1) < 1.05, "one that copies does not hold up seven that do not");
  CHECK(mean(0) < 1.001, "nothing is tried where nothing is guessed");
  return "8 scenes";
}

}  // namespace cachalot::tests

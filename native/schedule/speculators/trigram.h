// What has followed the last two tokens in this text, by how often (ADED, Liu et al. 2024): a tree
// is built by searches that weigh what is likely against what was not looked at (PUCT).
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "schedule/speculators/speculator.h"

namespace cachalot {

class TrigramSpeculator final : public Speculator {
 public:
  void propose(std::span<const int32_t> tokens, GuessTree* tree) override;

 private:
  struct Followers {
    std::vector<std::pair<int32_t, int>> counts;  // of each token that followed
    int total = 0;
  };
  /** A node of the search. */
  struct Place {
    int32_t before, token;  // the last two tokens
    int node;               // of the guess tree; -1: the known tokens
    double prior;           // the share of its token among those that followed
    int visits = 0;
    double worth = 0;                // the mean depth that was reached below it
    std::vector<int> children = {};  // in the search
    bool is_open = false;            // its children are known
  };

  void follow(std::span<const int32_t> tokens);
  const Followers* after(int32_t before, int32_t token) const;
  void search(std::vector<Place>* places, GuessTree* tree) const;
  void open(int at, std::vector<Place>* places) const;

  static uint64_t key_of(int32_t before, int32_t token) {
    return (uint64_t{static_cast<uint32_t>(before)} << 32) | static_cast<uint32_t>(token);
  }

  std::unordered_map<uint64_t, Followers> followers_;
  size_t n_known_ = 0;  // tokens
};

}  // namespace cachalot

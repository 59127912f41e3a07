#include "tests/guesser.h"

#include "tests/failing_memory.h"

namespace cachalot::tests {

int Guesser::add(int parent, int32_t token, GuessTree* tree) {
  return tree->add(parent, token, kScripted);
}

/** Up to three tokens, one after the other; some of them have a row that is not finite. */
void Guesser::add_wrong(int parent, int depth, GuessTree* tree) {
  int node = parent;
  for (int i = 0; i < depth; i++) {
    node = add(node, below(10) == 0 ? kPoisonedToken : below(kVocabulary), tree);
    if (node < 0) return;
  }
}

void Guesser::propose(std::span<const int32_t> tokens, GuessTree* tree) {
  const MayFail no(false);
  const auto known = tokens.subspan(n_before_);
  for (; n_known_ < known.size(); n_known_++) oracle_.push(known[n_known_]);
  if (below(5) == 0) return;
  Oracle ahead = oracle_;
  int node = GuessTree::kNone;
  const int n_right = below(9);
  for (int i = 0; i < n_right; i++) {
    for (int wrong = below(3); wrong > 0; wrong--) add_wrong(node, 1 + below(3), tree);
    const int32_t token = ahead.next();
    node = add(node, token, tree);
    if (node < 0) return;
    ahead.push(token);
  }
  for (int wrong = below(3); wrong > 0; wrong--) add_wrong(node, 1 + below(3), tree);
}

}  // namespace cachalot::tests

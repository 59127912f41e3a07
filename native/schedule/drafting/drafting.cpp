#include "schedule/drafting/drafting.h"

#include <algorithm>
#include <tuple>

#include "schedule/sequence.h"

namespace cachalot {

namespace {

constexpr double kLeastGain = 1.04;              // tokens per time, over plain steps: times scatter
constexpr int kMostAsked = 32;                   // sequences of a step
constexpr int kLeastNodes = 4, kMostNodes = 32;  // that a sequence may guess

/** The chosen nodes of a tree, depth first, the likeliest child first. */
TokenTree ordered(const GuessTree& guesses, const std::vector<bool>& is_chosen) {
  TokenTree tree;
  const auto& nodes = guesses.nodes();
  std::vector<std::pair<int, int>> open{{GuessTree::kNone, GuessTree::kNone}};
  std::vector<int> children;
  while (!open.empty()) {
    const auto [node, parent] = open.back();
    open.pop_back();
    const int here =
        node < 0 ? GuessTree::kNone : tree.add(nodes[static_cast<size_t>(node)].token, parent);
    children.clear();
    for (int child = guesses.first_child(node); child >= 0;
         child = nodes[static_cast<size_t>(child)].next_sibling)
      if (is_chosen[static_cast<size_t>(child)]) children.push_back(child);
    const auto value = [&](int child) { return nodes[static_cast<size_t>(child)].value; };
    std::ranges::stable_sort(children, {}, value);  // the last one is taken first
    for (const int child : children) open.emplace_back(child, here);
  }
  return tree;
}

}  // namespace

/** The most rows that could pay if every guess were right. */
int Drafting::most_worthwhile(const Limits& limits) const {
  if (always_) return limits.most_rows;
  const int n = limits.n_plain;
  const double plain = costs_.ms(n);
  if (plain == 0 || !costs_.is_fresh(n)) return 0;  // a plain step shows what it takes
  int most = 0;
  const int end = std::min(n + std::min(limits.most_rows, 64 + n), StepCosts::kMostRows);
  for (int total = n + 1; total <= end; total++) {
    if (StepCosts::rounded(total) != total) continue;
    const double ms = costs_.ms(total);
    if (limits.most_ms > 0 && ms > limits.most_ms) break;
    if (total * plain >= kLeastGain * n * ms) most = total - n;
  }
  return most;
}

/** Fills choices_: the likeliest guess first, a node never before its parent. */
void Drafting::propose(std::span<const Candidate> candidates, int most_nodes) {
  choices_.clear();
  const size_t n_asked = std::min(candidates.size(), size_t{kMostAsked});
  const size_t first = next_ < candidates.size() ? next_ : 0;
  next_ = first + n_asked;  // others, in the next step
  for (size_t i = 0; i < n_asked; i++) {
    const size_t at = (first + i) % candidates.size();
    const auto& [entry, sequence, most_depth] = candidates[at];
    if (sequence->drafter == nullptr) {
      sequence->drafter = std::make_unique<Drafter>(make_(*sequence));
      sequence->drafter->begin_as(all_);
    }
    const auto& nodes =
        sequence->drafter->propose(sequence->tokens, most_nodes, most_depth).nodes();
    for (size_t node = 0; node < nodes.size(); node++)
      choices_.push_back({nodes[node].value, static_cast<int32_t>(at), static_cast<int32_t>(node)});
  }
  std::ranges::stable_sort(choices_, std::ranges::greater(), &Choice::value);
}

/** How many of the choices give the most tokens per time. */
size_t Drafting::n_best(const Limits& limits, int most) const {
  const auto n_all = std::min(choices_.size(), static_cast<size_t>(most));
  if (always_) return n_all;
  const double plain = costs_.ms(limits.n_plain);
  double best = kLeastGain, tokens = limits.n_plain;
  size_t n_chosen = 0;
  for (size_t i = 0; i < n_all; i++) {
    tokens += choices_[i].value;
    const int total = limits.n_plain + static_cast<int>(i) + 1;
    if (StepCosts::rounded(total) != total) continue;
    const double ms = costs_.ms(total);
    if (limits.most_ms > 0 && ms > limits.most_ms) break;
    const double gain = tokens * plain / (limits.n_plain * ms);
    if (gain <= best) continue;
    best = gain;
    n_chosen = i + 1;
  }
  return n_chosen;
}

std::vector<TokenTree> Drafting::choose(std::span<const Candidate> candidates,
                                        const Limits& limits) {
  std::vector<TokenTree> trees(candidates.size());
  if (candidates.empty()) return trees;
  const int most = most_worthwhile(limits);
  if (most <= 0) return trees;
  const int n_asked = std::min(static_cast<int>(candidates.size()), kMostAsked);
  propose(candidates, std::clamp(2 * most / n_asked, kLeastNodes, kMostNodes));
  const size_t n = n_best(limits, most);
  std::vector<std::vector<bool>> is_chosen(n == 0 ? 0 : candidates.size());
  for (const auto& [value, candidate, node] : std::span(choices_).first(n)) {
    auto& chosen = is_chosen[static_cast<size_t>(candidate)];
    if (chosen.empty())
      chosen.resize(
          candidates[static_cast<size_t>(candidate)].sequence->drafter->tree().nodes().size());
    chosen[static_cast<size_t>(node)] = true;
  }
  for (size_t i = 0; i < is_chosen.size(); i++)
    if (!is_chosen[i].empty())
      trees[i] = ordered(candidates[i].sequence->drafter->tree(), is_chosen[i]);
  return trees;
}

void Drafting::observe(Sequence* sequence, const Verified& step, std::span<const int32_t> drawn) {
  if (sequence->drafter != nullptr) sequence->drafter->observe(step, drawn, &all_);
}

}  // namespace cachalot

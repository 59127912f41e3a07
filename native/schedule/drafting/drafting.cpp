#include "schedule/drafting/drafting.h"

#include <algorithm>
#include <chrono>

#include "schedule/sequence.h"

namespace cachalot {

namespace {

/** What guesses must gain over plain steps, because times scatter. In a batch it is more: what one
 * sequence gains, the others wait for. */
constexpr double least_gain(int n_plain) { return n_plain == 1 ? 1.04 : 1.12; }

constexpr float kLikely = 0.7f;                  // a guess that needs no model
constexpr int kVain = 8, kRest = 4;              // steps
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
    if (total * plain >= least_gain(n) * n * ms) most = total - n;
  }
  return most;
}

/** Lets some of the candidates guess. */
void Drafting::propose(std::span<const Candidate> candidates, int most_nodes) {
  open_.clear();
  tokens_.assign(candidates.size(), 1.0);
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
    sequence->drafter->propose(sequence->tokens, most_nodes, most_depth);
  }
}

/** Lets the model guess for sequences of which nothing else is known, if that pays. */
void Drafting::ask_model(std::span<const Candidate> candidates, const Limits& limits) {
  if (model_ == nullptr) return;
  std::vector<Sequence*> asked;
  for (const auto& [entry, sequence, most_depth] : candidates) {
    if (!sequence->draft.model || sequence->drafter == nullptr) continue;
    const GuessTree& tree = sequence->drafter->tree();
    const auto is_likely = [](const GuessNode& node) { return node.value > kLikely; };
    if (tree.most_depth() > 0 && std::ranges::none_of(tree.nodes(), is_likely))
      asked.push_back(sequence);
  }
  if (asked.empty()) return;
  const auto n = static_cast<int>(asked.size());
  const int depth = always_ ? GuessPace::kMostDepth / 2
                            : pace_.depth(all_.model_rate(), n, limits.n_plain, costs_,
                                          least_gain(limits.n_plain), limits.most_ms);
  if (depth == 0) return;
  const auto begun = Clock::now();
  const bool is_known = model_->guess(asked, depth);
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  guess_ms_ += ms;
  if (is_known) pace_.learn(depth, ms);
}

/** A guide draws one token more than are tried: what it says of the row after the last of them. */
void Drafting::guide(std::span<const Candidate> candidates, const Limits& limits) {
  const auto n = static_cast<int>(candidates.size());
  double rate = 0;
  for (const Candidate& one : candidates) rate += one.sequence->guide->rate() / n;
  int depth = always_ ? GuessPace::kMostDepth / 2
                      : guide_pace_.depth(rate, n, limits.n_plain, costs_,
                                          least_gain(limits.n_plain), limits.most_ms, 1);
  depth = std::min(depth, limits.most_rows / n);
  std::vector<ModelGuesser::GuideTask> tasks;
  for (const Candidate& one : candidates)
    tasks.push_back({one.sequence, 1 + std::min(depth, one.most_depth)});
  const auto begun = Clock::now();
  model_->guide(tasks);
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  guess_ms_ += ms;
  guide_pace_.learn(1 + depth, ms);
}

int Drafting::read(Sequence* sequence, int most_rows) {
  const auto begun = Clock::now();
  const int n = model_->read(sequence, most_rows);
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  guess_ms_ += ms;
  if (n > 0) read_ms_ = read_ms_ == 0 ? ms / n : read_ms_ + 0.2 * (ms / n - read_ms_);
  return n;
}

int Drafting::n_read_rows(int n_others, double most_ms, int most_rows) const {
  constexpr int kLeast = 4;
  if (most_ms <= 0 || n_others == 0) return most_rows;
  if (read_ms_ == 0) return std::min(kLeast, most_rows);
  const double left = most_ms - costs_.ms(n_others);
  return std::clamp(static_cast<int>(left / read_ms_), std::min(kLeast, most_rows), most_rows);
}

double Drafting::saved_by(std::span<const Candidate> candidates, const Open& open) const {
  const auto at = static_cast<size_t>(open.candidate);
  const GuessTree& tree = candidates[at].sequence->drafter->tree();
  const double tokens = tokens_[at];
  return 1 / tokens - 1 / (tokens + tree.nodes()[static_cast<size_t>(open.node)].value);
}

void Drafting::open_children(std::span<const Candidate> candidates, size_t candidate, int node) {
  const GuessTree& tree = candidates[candidate].sequence->drafter->tree();
  for (int child = tree.first_child(node); child >= 0;
       child = tree.nodes()[static_cast<size_t>(child)].next_sibling) {
    Open open{0, static_cast<int32_t>(candidate), child};
    open.saves = saved_by(candidates, open);
    open_.push_back(open);
    std::push_heap(open_.begin(), open_.end());
  }
}

/** Fills taken_: at each time the guess that saves most, until more of them would cost more. */
void Drafting::take_best(std::span<const Candidate> candidates, const Limits& limits, int most) {
  taken_.clear();
  const int n = limits.n_plain;
  const double plain = costs_.ms(n);
  double share = n;  // of a step's time for a token, summed over the sequences
  double best = n * plain / least_gain(n);
  size_t n_best = 0;
  while (!open_.empty() && static_cast<int>(taken_.size()) < most) {
    std::pop_heap(open_.begin(), open_.end());
    Open next = open_.back();
    open_.pop_back();
    const double saves = saved_by(candidates, next);
    if (saves < next.saves) {  // others of its sequence were taken meanwhile
      next.saves = saves;
      open_.push_back(next);
      std::push_heap(open_.begin(), open_.end());
      continue;
    }
    const auto at = static_cast<size_t>(next.candidate);
    const GuessTree& tree = candidates[at].sequence->drafter->tree();
    tokens_[at] += tree.nodes()[static_cast<size_t>(next.node)].value;
    share -= saves;
    taken_.emplace_back(next.candidate, next.node);
    open_children(candidates, at, next.node);
    const int total = n + static_cast<int>(taken_.size());
    if (always_ || StepCosts::rounded(total) != total) continue;
    const double ms = costs_.ms(total);
    if (limits.most_ms > 0 && ms > limits.most_ms) break;
    if (share * ms >= best) continue;
    best = share * ms;
    n_best = taken_.size();
  }
  if (!always_) taken_.resize(n_best);
}

/** In a batch guessing takes time itself: where nothing was worth a try for a while, it is asked
 * for in some steps only. */
bool Drafting::rests(const Limits& limits) {
  if (always_ || limits.n_plain == 1 || n_vain_ < kVain) return false;
  return ++n_rested_ % kRest != 0;
}

std::vector<TokenTree> Drafting::choose(std::span<const Candidate> candidates,
                                        const Limits& limits) {
  std::vector<TokenTree> trees(candidates.size());
  if (candidates.empty()) return trees;
  const int most = rests(limits) ? 0 : most_worthwhile(limits);
  for (const Candidate& one : candidates)
    if (one.sequence->drafter != nullptr) one.sequence->drafter->rests = most <= 0;
  if (most <= 0) return trees;
  const int n_asked = std::min(static_cast<int>(candidates.size()), kMostAsked);
  propose(candidates, std::clamp(2 * most / n_asked, kLeastNodes, kMostNodes));
  ask_model(candidates, limits);
  for (size_t i = 0; i < candidates.size(); i++)
    if (candidates[i].sequence->drafter != nullptr) open_children(candidates, i, GuessTree::kNone);
  take_best(candidates, limits, most);
  n_vain_ = taken_.empty() ? n_vain_ + 1 : 0;
  std::vector<std::vector<bool>> is_taken(candidates.size());
  for (const auto& [candidate, node] : taken_) {
    auto& taken = is_taken[static_cast<size_t>(candidate)];
    const auto& drafter = candidates[static_cast<size_t>(candidate)].sequence->drafter;
    taken.resize(drafter->tree().nodes().size());
    taken[static_cast<size_t>(node)] = true;
  }
  for (size_t i = 0; i < is_taken.size(); i++)
    if (!is_taken[i].empty())
      trees[i] = ordered(candidates[i].sequence->drafter->tree(), is_taken[i]);
  return trees;
}

void Drafting::observe(Sequence* sequence, const Verified& step, std::span<const int32_t> drawn) {
  if (sequence->drafter != nullptr) sequence->drafter->observe(step, drawn, &all_);
  if (sequence->guide != nullptr) sequence->guide->learn(drawn);
}

}  // namespace cachalot

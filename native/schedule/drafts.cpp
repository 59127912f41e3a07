// Guesses in the rows that a step has left: the part of Scheduler that adds them, and that keeps
// those which were right. They never evict or preempt: they take free slabs only, and no step has
// them beside a prompt. Guides are asked about every row that will be drawn, and so for guesses.

#include <algorithm>

#include "base/check.h"
#include "schedule/scheduler.h"

namespace cachalot {

namespace {

constexpr int kMostReadRows = 256;  // of guides, in a step
constexpr double kMargin = 0.9;     // of the target for a step, because times scatter

/** The ways through a tree, from the first guess to each leaf. */
std::vector<DraftPath> paths_of(const TokenTree& tree) {
  std::vector<DraftPath> paths;
  int before = -1;  // the leaf of the path before
  for (int node = 0; node < tree.size(); node++) {
    if (!tree.is_leaf(node)) continue;
    DraftPath path{tree.path_to(node), 0, std::nullopt};
    path.n_shared =
        static_cast<int>(std::ranges::upper_bound(path.nodes, before) - path.nodes.begin());
    before = node;
    paths.push_back(std::move(path));
  }
  return paths;
}

/** How many tokens a sequence may guess after its last one: all of their rows are of its own text,
 * none of them is observed by an edit, and one more token may be drawn after the last. */
int most_guesses(const Sequence& sequence) {
  const Demand& demand = sequence.demand;
  const bool draws = demand.output() == OutputKind::kToken && demand.max_tokens() > 0;
  if (!draws || sequence.computing != nullptr || !sequence.context || !sequence.draft.any())
    return 0;
  const int n = static_cast<int>(sequence.tokens.size()), next = sequence.n_computed() + 1;
  int most = std::min({sequence.draft.max_tokens, sequence.max_length - n - 1,
                       demand.max_tokens() - sequence.n_generated() - 1,
                       sequence.text_end() - sequence.text_begin - next});
  if (sequence.queries != nullptr) most = std::min(most, sequence.queries->first_row - next);
  return std::max(0, most);
}

/** Leaves out all nodes from `n` on. */
void truncate(TokenTree* tree, int n) {
  tree->tokens.resize(static_cast<size_t>(n));
  tree->parents.resize(static_cast<size_t>(n));
}

/** Those of a step's sequences that wait for a token, and have a guide or have none. */
std::vector<Drafting::Candidate> candidates_of(const Step& step, bool is_guided) {
  std::vector<Drafting::Candidate> candidates;
  for (size_t i = 0; i < step.entries.size(); i++) {
    const auto& [sequence, first_row, n_rows, first_output, n_outputs] = step.entries[i];
    if (n_outputs != 1 || (sequence->guide != nullptr) != is_guided) continue;
    const int most = n_rows == 1 && step.prompts.rows == 0 ? most_guesses(*sequence) : 0;
    if (most > 0 || is_guided) candidates.push_back({static_cast<int>(i), sequence, most});
  }
  return candidates;
}

}  // namespace

void Scheduler::add_drafts(Step* step) {
  const auto limits = [&](int n_taken) {
    const int room =
        std::min(options_.max_rows - step->n_rows(), options_.max_outputs - step->n_outputs());
    return Drafting::Limits{step->n_rows() + n_taken, room - n_taken,
                            kMargin * options_.max_step_ms};
  };
  std::vector<std::pair<Drafting::Candidate, TokenTree>> drafts;
  int n_guided = 0;
  const auto guided = candidates_of(*step, true);
  if (!guided.empty()) drafting_.guide(guided, limits(0));
  for (const auto& candidate : guided) {
    TokenTree chain;
    const auto guesses = candidate.sequence->guide->guesses();
    for (size_t i = 0; i + 1 < guesses.size(); i++) chain.add(guesses[i], chain.size() - 1);
    if (candidate.sequence->drafter == nullptr)
      candidate.sequence->drafter = std::make_unique<Drafter>(Drafter::Speculators());
    n_guided += chain.size();
    if (chain.size() > 0) drafts.emplace_back(candidate, std::move(chain));
  }
  if (options_.speculators && step->prompts.rows == 0) {
    const auto candidates = candidates_of(*step, false);
    auto trees = drafting_.choose(candidates, limits(n_guided));
    for (size_t i = 0; i < trees.size(); i++)
      if (trees[i].size() > 0) drafts.emplace_back(candidates[i], std::move(trees[i]));
  }
  step->guess_ms = drafting_.take_guess_ms();
  std::ranges::sort(drafts, {}, [](const auto& draft) { return draft.first.entry; });
  std::vector<KvCopy> copies;
  for (auto& [candidate, tree] : drafts)
    if (!add_draft(step, candidate, std::move(tree), &copies)) break;
  if (!copies.empty()) kv_.copy(copies);
}

/** Whether its guide would have to read more than a piece before it draws. */
bool Scheduler::has_lost_guide(Sequence* sequence) {
  return sequence->guide != nullptr &&
         drafting_.model().n_missing(sequence) > std::min(kMostReadRows, options_.max_rows);
}

void Scheduler::forget_guide(Sequence* sequence) {
  sequence->guide->is_read = false;
  guides_.forget(*sequence);
}

/** What guides read in place of prompts is read before these are, a piece in each step, so that
 * nobody waits for it long. One whose KV has gone meanwhile reads it again, and its sequence waits
 * for that. */
void Scheduler::read_for_guides() {
  if (options_.draft_model == nullptr) return;
  const int most = std::min(kMostReadRows, options_.max_rows);
  std::vector<Sequence*> lost;
  int n_decoding = 0;
  bool has_prompts = false;
  for (Sequence* sequence : running_) {
    if (sequence->n_pending() == 1) n_decoding++;
    else has_prompts = true;
    if (has_lost_guide(sequence)) lost.push_back(sequence);
  }
  for (Sequence* sequence : lost) {
    forget_guide(sequence);
    preempt(sequence);
  }
  int left = drafting_.n_read_rows(n_decoding, kMargin * options_.max_step_ms, most);
  if (has_prompts && options_.max_step_ms > 0) left = 1;  // the prompts have the rest of the target
  while (left > 0) {
    Sequence* sequence = guides_.next(drafting_.model().memory_tokens());
    if (sequence == nullptr) return;
    left -= drafting_.read(sequence, left);
    if (!sequence->guide->is_read) continue;
    guides_.remove(*sequence);
    waiting_.add(sequence);
  }
}

/** False if memory is short: the draft has become smaller. */
bool Scheduler::add_draft(Step* step, const Drafting::Candidate& candidate, TokenTree tree,
                          std::vector<KvCopy>* copies) {
  Context& context = *candidate.sequence->context;
  KvSegment* leaf = context.leaf();
  const int n_wanted = tree.size();
  std::vector<DraftPath> paths = paths_of(tree);
  auto& main = paths.front().nodes;  // its nodes are the first of the tree
  if (!kv_.cache.reserve_free(leaf, 1 + static_cast<int>(main.size()))) {
    const size_t room = leaf->slabs.size() * kTileTokens - leaf->tokens.size() - 1;
    main.resize(std::min(main.size(), room));
    truncate(&tree, static_cast<int>(main.size()));
    while (paths.size() > 1) paths.pop_back();
    if (main.empty()) return false;
  }
  context.update(1 + static_cast<int>(main.size()));
  for (size_t i = 1; i < paths.size(); i++) {
    const int n = 1 + static_cast<int>(paths[i].nodes.size());
    if (auto branch = Branch::open(kv_.cache, kv_.lists, context, n, copies)) {
      paths[i].branch.emplace(std::move(*branch));
      continue;
    }
    truncate(&tree, paths[i].nodes[static_cast<size_t>(paths[i].n_shared)]);
    while (paths.size() > i) paths.pop_back();
  }
  const int n = tree.size(), first_row = step->n_rows();
  for (int i = 0; i < n; i++) step->output_rows.push_back(first_row + i);
  step->tokens.insert(step->tokens.end(), tree.tokens.begin(), tree.tokens.end());
  step->n_drafted += n;
  candidate.sequence->drafter->use.proposed += n;
  step->drafts.push_back(
      {candidate.entry, first_row, step->n_outputs() - n, std::move(tree), std::move(paths)});
  return n == n_wanted;
}

void Scheduler::commit(Step* step, const StepEntry& entry, int node, bool clears) {
  const auto tokens = step->tokens_of(entry);
  KvSegment* leaf = entry.sequence->context->leaf();
  const auto index = static_cast<int>(&entry - step->entries.data());
  const auto draft = std::ranges::find(step->drafts, index, &StepDraft::entry);
  if (draft == step->drafts.end()) return kv_.cache.commit(leaf, tokens);
  const size_t first = leaf->tokens.size() / kTileTokens;
  const std::vector<int> right = draft->tree.path_to(node);
  const auto is_on = [&](const DraftPath& path) {
    return std::ranges::equal(
        right, std::span(path.nodes).first(std::min(path.nodes.size(), right.size())));
  };
  const auto winner = std::ranges::find_if(draft->paths, is_on);
  CHECK(winner != draft->paths.end(), "a node is on a path");
  if (winner->branch) winner->branch->win();
  std::vector<int32_t> kept(tokens.begin(), tokens.end());
  for (const int one : right) kept.push_back(draft->tree.tokens[static_cast<size_t>(one)]);
  kv_.cache.commit(leaf, kept);
  kv_.cache.trim(leaf);
  if (clears) kv_.cache.clear_tail(leaf);
  entry.sequence->context->forget_slabs(winner->branch ? first : leaf->slabs.size());
  entry.sequence->context->update(0);
  entry.sequence->drafter->use.accepted += static_cast<int>(right.size());
}

void Scheduler::learn(const Step& step, double ms) {
  if (step.n_drafted == 0) chunk_.learn(step.n_decoding, step.prompts, ms - step.guess_ms);
  if (step.prompts.rows == 0) drafting_.learn(step.n_rows(), ms - step.guess_ms);
}

}  // namespace cachalot

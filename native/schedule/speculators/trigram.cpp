#include "schedule/speculators/trigram.h"

#include <algorithm>
#include <cmath>

namespace cachalot {

namespace {

constexpr int kSearches = 24;
constexpr size_t kMostFollowers = 16;  // of two tokens: the first that were seen
constexpr double kExploration = 1.0;   // weight of what was looked at seldom

}  // namespace

void TrigramSpeculator::follow(std::span<const int32_t> tokens) {
  for (size_t i = std::max(n_known_, size_t{2}); i < tokens.size(); i++) {
    Followers& followers = followers_[key_of(tokens[i - 2], tokens[i - 1])];
    followers.total++;
    const auto found =
        std::ranges::find(followers.counts, tokens[i], &std::pair<int32_t, int>::first);
    if (found != followers.counts.end()) found->second++;
    else if (followers.counts.size() < kMostFollowers) followers.counts.emplace_back(tokens[i], 1);
  }
  n_known_ = std::max(n_known_, tokens.size());
}

const TrigramSpeculator::Followers* TrigramSpeculator::after(int32_t before, int32_t token) const {
  const auto found = followers_.find(key_of(before, token));
  return found == followers_.end() ? nullptr : &found->second;
}

void TrigramSpeculator::open(int at, std::vector<Place>* places) const {
  Place place = (*places)[static_cast<size_t>(at)];
  (*places)[static_cast<size_t>(at)].is_open = true;
  const Followers* followers = after(place.before, place.token);
  if (followers == nullptr) return;
  for (const auto& [token, count] : followers->counts) {
    (*places)[static_cast<size_t>(at)].children.push_back(static_cast<int>(places->size()));
    places->push_back(
        {place.token, token, GuessTree::kNone, static_cast<double>(count) / followers->total});
  }
}

/** Goes down to a place that was not opened, by worth and novelty; opens it; tells those above. */
void TrigramSpeculator::search(std::vector<Place>* places, GuessTree* tree) const {
  std::vector<int> path{0};
  double probability = 1;
  for (;;) {
    const int at = path.back();
    if (!(*places)[static_cast<size_t>(at)].is_open) open(at, places);
    const Place& place = (*places)[static_cast<size_t>(at)];
    if (place.children.empty() || static_cast<int>(path.size()) > tree->most_depth()) break;
    const auto score = [&](int child) {
      const Place& one = (*places)[static_cast<size_t>(child)];
      return one.worth +
             kExploration * one.prior * std::sqrt(place.visits + 1.0) / (1 + one.visits);
    };
    const int best = *std::ranges::max_element(place.children, {}, score);
    Place& child = (*places)[static_cast<size_t>(best)];
    if (child.node < 0)
      child.node =
          tree->add(place.node, child.token, graded(kTrigram, grade_of_share(child.prior)));
    if (child.node < 0) break;
    probability *= child.prior;
    path.push_back(best);
    if (child.visits == 0) break;
  }
  for (const int at : path) {
    Place& place = (*places)[static_cast<size_t>(at)];
    place.visits++;
    place.worth += (probability - place.worth) / place.visits;
  }
}

void TrigramSpeculator::propose(std::span<const int32_t> tokens, GuessTree* tree) {
  follow(tokens);
  const size_t n = tokens.size();
  if (n < 2) return;
  std::vector<Place> places{{tokens[n - 2], tokens[n - 1], GuessTree::kNone, 1}};
  for (int i = 0; i < kSearches && !tree->is_full(); i++) search(&places, tree);
}

}  // namespace cachalot

#include "grammar/rules/rule_machine.h"

#include <utility>

namespace cachalot {

RuleMachine::RuleMachine(std::shared_ptr<const RuleNetwork> network)
    : network_(std::move(network)) {
  frames_.id_of({Nfa::kNone, -1});  // kDone
}

void RuleMachine::start(std::vector<Stack>* stacks) {
  reach(network_->entries.front(), kDone, stacks);
}

void RuleMachine::step(Stack stack, uint8_t byte, std::vector<Stack>* after) {
  if (stack == kDone) return;
  const Frame frame = frames_[stack];
  const Nfa::State& state = network_->states[static_cast<size_t>(frame.state)];
  if (byte >= state.first && byte <= state.last) reach(state.next, frame.below, after);
}

/** Adds the stacks that read next, from a state on, without reading. */
void RuleMachine::reach(int32_t state, Stack below, std::vector<Stack>* stacks) {
  std::vector<Frame> open{{state, below}};
  n_reached_++;
  while (!open.empty()) {
    const Frame frame = open.back();
    open.pop_back();
    if (frame.state == Nfa::kNone) continue;
    const auto id = static_cast<size_t>(frames_.id_of(frame));
    if (reached_.size() <= id) reached_.resize(2 * id + 16);
    if (std::exchange(reached_[id], n_reached_) != n_reached_) go_on(frame, &open, stacks);
  }
}

void RuleMachine::go_on(const Frame& frame, std::vector<Frame>* open, std::vector<Stack>* stacks) {
  const Nfa::State& state = network_->states[static_cast<size_t>(frame.state)];
  if (network_->is_end[static_cast<size_t>(frame.state)]) {
    if (frame.below == kDone) stacks->push_back(kDone);
    else open->push_back(frames_[frame.below]);
  } else if (state.reads()) {
    if (state.next != Nfa::kNone) stacks->push_back(frames_.id_of(frame));
  } else if (state.rule != Nfa::kNone) {
    if (state.next == Nfa::kNone) return;
    // Where nothing but the end of this rule follows, the other one ends it.
    const bool is_last = network_->is_end[static_cast<size_t>(state.next)];
    const Stack below = is_last ? frame.below : frames_.id_of({state.next, frame.below});
    open->push_back({network_->entries[static_cast<size_t>(state.rule)], below});
  } else {
    open->push_back({state.next, frame.below});
    open->push_back({state.other, frame.below});
  }
}

}  // namespace cachalot

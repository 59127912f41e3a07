// Texts of a grammar, read byte by byte: a stack of where the rules that are open go on.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "grammar/json/interned.h"
#include "grammar/rules/rule_network.h"
#include "grammar/stack_machine.h"

namespace cachalot {

class RuleMachine final : public StackMachine {
 public:
  explicit RuleMachine(std::shared_ptr<const RuleNetwork> network);

  void start(std::vector<Stack>* stacks) override;
  void step(Stack stack, uint8_t byte, std::vector<Stack>* after) override;
  bool may_end(Stack stack) const override { return stack == kDone; }
  bool is_end(Stack stack) const override { return stack == kDone; }

  void begin_look() override { n_before_ = frames_.size(); }
  void end_look() override { frames_.rewind(n_before_); }
  size_t bytes() const override { return frames_.size() * (sizeof(Frame) + 16); }
  std::unique_ptr<StackMachine> fresh() const override {
    return std::make_unique<RuleMachine>(network_);
  }

 private:
  static constexpr Stack kDone = 0;

  /** A state of the network: one that reads, on the top of a stack; below it, where a rule goes on.
   */
  struct Frame {
    int32_t state, below;
    bool operator==(const Frame&) const = default;
  };
  struct Hash {
    size_t operator()(const Frame& frame) const {
      return static_cast<size_t>(frame.state) << 32 | static_cast<uint32_t>(frame.below);
    }
  };

  void reach(int32_t state, Stack below, std::vector<Stack>* stacks);
  void go_on(const Frame& frame, std::vector<Frame>* open, std::vector<Stack>* stacks);

  std::shared_ptr<const RuleNetwork> network_;
  Interned<Frame, Hash> frames_;
  size_t n_before_ = 0;
  std::vector<uint64_t> reached_;  // by frame: in which turn last
  uint64_t n_reached_ = 0;
};

}  // namespace cachalot

// The language of a machine with a stack: a state is a set of stacks.
#pragma once

#include <memory>
#include <vector>

#include "grammar/json/interned.h"
#include "grammar/recognizer.h"
#include "grammar/stack_machine.h"

namespace cachalot {

class StackRecognizer final : public Recognizer {
 public:
  StackRecognizer(std::unique_ptr<StackMachine> machine, size_t most_bytes);

  State start() override { return start_; }
  State next(State state, uint8_t byte) override;
  bool accepts(State state) const override;
  bool is_end(State state) override;
  void allow(const Vocabulary& tokens, State state, uint32_t* mask) override;
  size_t bytes() const override;
  std::unique_ptr<Recognizer> fresh() const override;

 private:
  using Stacks = std::vector<StackMachine::Stack>;  // ascending: what has been read, in all ways
  struct Hash {
    size_t operator()(const Stacks& stacks) const;
  };

  State state_of(const Stacks& stacks);
  State settled();
  class Look;

  void allow_text(const Vocabulary& tokens, StackMachine::Stack stack, uint32_t* mask);

  std::unique_ptr<StackMachine> machine_;
  size_t most_bytes_, bytes_ = 0;
  Interned<Stacks, Hash> states_;
  NumberMap known_;  // what follows a state and a byte, if anything does
  Stacks after_;     // of a step in the making
  State start_;
};

}  // namespace cachalot

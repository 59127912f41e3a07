// The JSON values that a schema describes, as a language of byte strings.
#pragma once

#include <memory>
#include <vector>

#include "grammar/json/interned.h"
#include "grammar/recognizer.h"
#include "grammar/schema/schema_machine.h"

namespace cachalot {

class SchemaRecognizer final : public Recognizer {
 public:
  SchemaRecognizer(std::shared_ptr<const Plans> plans, size_t most_bytes);

  State start() override { return start_; }
  State next(State state, uint8_t byte) override;
  bool accepts(State state) const override;
  bool is_end(State state) override;
  void allow(const Vocabulary& tokens, State state, uint32_t* mask) override;
  size_t bytes() const override;
  std::unique_ptr<Recognizer> fresh() const override;

 private:
  using Stacks = std::vector<SchemaMachine::Stack>;  // ascending: what has been read, in all ways
  struct Hash {
    size_t operator()(const Stacks& stacks) const;
  };

  State state_of(const Stacks& stacks);
  class Look;

  void allow_text(const Vocabulary& tokens, SchemaMachine::Stack stack, uint32_t* mask);

  std::shared_ptr<const Plans> plans_;
  size_t most_bytes_, bytes_ = 0;
  SchemaMachine machine_;
  Interned<Stacks, Hash> states_;
  NumberMap known_;  // what follows a state and a byte, if anything does
  Stacks after_;     // of a step in the making
  State start_;
};

}  // namespace cachalot

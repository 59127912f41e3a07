// A JSON value that a schema describes, read byte by byte: a stack of what is open, which is shared
// with all stacks that begin alike. Where a value may go several ways, several stacks are read.
#pragma once

#include <memory>
#include <vector>

#include "grammar/json/interned.h"
#include "grammar/number/number_reader.h"
#include "grammar/schema/plans.h"
#include "grammar/schema/seen_keys.h"
#include "grammar/stack_machine.h"
#include "grammar/text/text_reader.h"

namespace cachalot {

/** What is open; `below` comes next when it ends. A stack is the frame on its top. */
struct Frame {
  enum class Kind : uint8_t {
    kEnd,          // of the whole value: nothing follows
    kValue,        // a value of goal `a` begins
    kLiteral,      // at node `b` of the literals of goal `a`; `c`: its text so far, if that counts
    kText,         // in text `a`, whose reader is in state `b`; `c`: the same
    kNumber,       // in number `a`, whose reader is in state `b`
    kArrayFirst,   // array `a`, behind "[": `b` items so far, `c` is unsettled, `d`: its items
    kArrayAfter,   // behind an item
    kObjectFirst,  // object `a`, behind "{"; keys `b` so far, `c` is unsettled
    kObjectNext,   // behind ","
    kObjectAfter,  // behind a property
    kKey,    // in a name: node `a` of the plan's tree, reader's state `b`, and `c`: its text so far
    kColon,  // behind a name: a value of goal `a` follows ":"
  };

  Kind kind = Kind::kEnd;
  int32_t a = 0, b = 0, c = 0, d = 0;
  int32_t white_space = 0;
  int32_t below = -1;
  bool operator==(const Frame&) const = default;
};

class SchemaMachine final : public StackMachine {
 public:
  explicit SchemaMachine(std::shared_ptr<const Plans> plans);

  void start(std::vector<Stack>* stacks) override { stacks->push_back(start_); }
  void step(Stack stack, uint8_t byte, std::vector<Stack>* after) override;
  bool may_end(Stack stack) const override;
  bool is_end(Stack stack) const override { return frames_[stack].kind == Frame::Kind::kEnd; }

  void begin_look() override;
  void end_look() override;
  size_t bytes() const override;
  std::unique_ptr<StackMachine> fresh() const override {
    return std::make_unique<SchemaMachine>(plans_);
  }

  TextReader* reader(Stack stack, int32_t* state) override;
  Stack as_mentioned(Stack stack) override;

 private:
  struct Hash {
    size_t operator()(const Frame& frame) const;
  };
  /** Text of a name so far: what came before, and a byte. */
  struct TextHash {
    size_t operator()(uint64_t link) const { return link; }
  };

  int32_t depth_of(Stack stack) const;
  void begin(int32_t goal, uint8_t byte, Stack below, std::vector<Stack>* after);
  void step_text(const Frame& frame, uint8_t byte, std::vector<Stack>* after);
  bool counts_items(Stack below) const;
  int32_t text_after(const Frame& frame, uint8_t byte);
  bool has_unused(const Frame& literal) const;
  Stack after_item(const Frame& item);
  void step_literal(const Frame& frame, uint8_t byte, std::vector<Stack>* after);
  void step_array(const Frame& frame, uint8_t byte, std::vector<Stack>* after);
  void begin_items(const Frame& array, const uint8_t* byte, std::vector<Stack>* after);
  void step_object(const Frame& frame, uint8_t byte, std::vector<Stack>* after);
  void step_key(const Frame& frame, uint8_t byte, std::vector<Stack>* after);
  void close_key(const Frame& object, int32_t seen, const std::vector<PartOption>& options,
                 std::vector<Stack>* after);
  void push(const Frame& frame, std::vector<Stack>* after) {
    after->push_back(frames_.id_of(frame));
  }

  std::shared_ptr<const Plans> plans_;
  std::vector<TextReader> texts_;
  std::vector<NumberReader> numbers_;
  Interned<Frame, Hash> frames_;
  SeenKeysTable seen_;  // and items of arrays none of which comes twice
  Interned<uint64_t, TextHash> names_;
  /** What there was before a look. */
  struct {
    size_t frames, seen, names;
    std::vector<size_t> numbers;
  } before_{};
  Stack start_ = 0;
};

}  // namespace cachalot

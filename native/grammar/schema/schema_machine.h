// A JSON value that a schema describes, read byte by byte: a stack of what is open, which is shared
// with all stacks that begin alike. Where a value may go several ways, several stacks are read.
#pragma once

#include <memory>
#include <vector>

#include "grammar/json/interned.h"
#include "grammar/number/number_reader.h"
#include "grammar/schema/plans.h"
#include "grammar/schema/seen_keys.h"
#include "grammar/text/text_reader.h"

namespace cachalot {

/** What is open; `below` comes next when it ends. */
struct Frame {
  enum class Kind : uint8_t {
    kEnd,          // of the whole value: nothing follows
    kValue,        // a value of goal `a` begins
    kLiteral,      // at node `b` of the literals of goal `a`
    kText,         // in text `a`, whose reader is in state `b`
    kNumber,       // in number `a`, whose reader is in state `b`
    kArrayFirst,   // array `a`, behind "[": `b` items so far, `c` is unsettled
    kArrayAfter,   // behind an item
    kObjectFirst,  // object `a`, behind "{"; keys `b` so far, `c` is unsettled
    kObjectNext,   // behind ","
    kObjectAfter,  // behind a property
    kKey,    // in a name: node `a` of the plan's tree, reader's state `b`, and `c`: its text so far
    kColon,  // behind a name: a value of goal `a` follows ":"
  };

  Kind kind = Kind::kEnd;
  int32_t a = 0, b = 0, c = 0;
  int32_t white_space = 0;
  int32_t below = -1;
  bool operator==(const Frame&) const = default;
};

class SchemaMachine {
 public:
  using Stack = int32_t;  // the frame on its top

  explicit SchemaMachine(std::shared_ptr<const Plans> plans);

  Stack start() const { return start_; }
  /** Appends the stacks after a byte. */
  void step(Stack stack, uint8_t byte, std::vector<Stack>* after);
  /** Whether the value may be done. */
  bool may_end(Stack stack) const;
  bool is_end(Stack stack) const { return frames_[stack].kind == Frame::Kind::kEnd; }

  const Frame& top(Stack stack) const { return frames_[stack]; }
  /** The reader of a text or a name on the top, and its state; null: there is none. */
  TextReader* reader(Stack stack, int32_t* state);
  /** A name on the top, read as one of those that the schema mentions only. */
  Stack as_mentioned(Stack stack);
  size_t bytes() const;

  /** How much has been interned. */
  struct Mark {
    size_t frames, seen, names;
    std::vector<size_t> numbers;
  };
  Mark mark() const;
  /** Forgets all stacks that were made since. */
  void rewind(const Mark& mark);

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
  SeenKeysTable seen_;
  Interned<uint64_t, TextHash> names_;
  Stack start_ = 0;
};

}  // namespace cachalot

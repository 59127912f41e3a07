// A language that is read with a stack of what is open. Stacks are numbers that live as long as the
// machine, and share what they begin with. Where a text may go several ways, several are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace cachalot {

class TextReader;

class StackMachine {
 public:
  using Stack = int32_t;

  virtual ~StackMachine() = default;
  /** Appends the stacks before a text. */
  virtual void start(std::vector<Stack>* stacks) = 0;
  /** Appends those after a byte. */
  virtual void step(Stack stack, uint8_t byte, std::vector<Stack>* after) = 0;
  /** Whether the text may end here. */
  virtual bool may_end(Stack stack) const = 0;
  /** Whether nothing may follow. */
  virtual bool is_end(Stack stack) const = 0;

  /** Stacks that are made from `begin_look` to `end_look` are forgotten then. */
  virtual void begin_look() = 0;
  virtual void end_look() = 0;
  virtual size_t bytes() const = 0;
  /** The same language, with no stacks yet. */
  virtual std::unique_ptr<StackMachine> fresh() const = 0;

  /** Of a stack inside a JSON string: what reads it, and the reader's state; null: there is none.
   */
  virtual TextReader* reader(Stack, int32_t*) { return nullptr; }
  /** Of a stack inside a name of a property: the same, of which only names that the schema mentions
   * may come; the stack itself: it is inside no name. */
  virtual Stack as_mentioned(Stack stack) { return stack; }
};

}  // namespace cachalot

// A language of byte strings, read byte by byte. What may come next depends on a state, which is a
// number: it is copied for each guess, and kept where a guess was wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace cachalot {

class Vocabulary;

class Recognizer {
 public:
  using State = int32_t;
  static constexpr State kDead = -1;

  virtual ~Recognizer() = default;
  virtual State start() = 0;
  /** kDead: no string of the language goes on like this. Throws grammar_failed if there are
   * more states than there is room for. */
  virtual State next(State state, uint8_t byte) = 0;
  /** Whether what has been read is a string of the language. */
  virtual bool accepts(State state) const = 0;
  /** Whether nothing may follow. */
  virtual bool is_end(State state) = 0;
  /** Sets the bits of the tokens that may come next. `mask`: zeros, a bit for each token. */
  virtual void allow(const Vocabulary& tokens, State state, uint32_t* mask) = 0;
  /** Memory for what is known of the states. */
  virtual size_t bytes() const = 0;
  /** The same language, of whose states nothing is known yet. */
  virtual std::unique_ptr<Recognizer> fresh() const = 0;
};

}  // namespace cachalot

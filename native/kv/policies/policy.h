// Decides what becomes of a context's keys. One method is one file of this folder.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "kv/signals.h"

namespace cachalot {

/** A method with its options. */
class KvPolicy {
 public:
  virtual ~KvPolicy() = default;
  /** Whether it would keep a context of so many tokens as it is: then no edit is made. */
  virtual bool is_neutral(int n_tokens) const = 0;
  /** How many keys of a head it leaves of a context of so many tokens, on average. */
  virtual int n_kept(int n_tokens) const = 0;
  /** How many rows it wants to be observed. */
  virtual int n_observed() const = 0;
  /** From one of these rows to the next. */
  virtual int stride() const { return 1; }
  /** Whether it wants to know how many rows read a key seldom, instead of how much they read it. */
  virtual bool counts_seldom() const { return false; }
  /** Whether it wants to know the lengths of keys. */
  virtual bool reads_norms() const { return false; }
  /** How keys are matched, in heads of at most so many of a context of so many tokens; nothing if
   * it does not ask. */
  virtual std::optional<MatchShape> matches([[maybe_unused]] int n_keys,
                                            [[maybe_unused]] int n_tokens) const {
    return {};
  }
  virtual KvEdit edit(const QuerySource& source) const = 0;
};

/** Sees keys, positions and weights alone, so what it decides is the same for all who read the
 * context: a shared context may be edited once for all of them. */
class SharedSafePolicy : public KvPolicy {
 public:
  int n_observed() const final { return 0; }
  KvEdit edit(const QuerySource& source) const final { return edit_keys(source); }
  virtual KvEdit edit_keys(const KeySource& source) const = 0;
};

/** Decides by what some queries have read: it serves them, and edits their own context only. */
class PrivatePolicy : public KvPolicy {};

/** Throws invalid_argument for a policy that there is not, or options that it cannot have. */
using PolicyMaker = std::function<std::unique_ptr<KvPolicy>(const EditRecipe&)>;

}  // namespace cachalot

// Decides what becomes of a context's keys. One method is one file of this folder.
#pragma once

#include <functional>
#include <memory>

#include "kv/edit.h"

namespace cachalot {

/** A method with its options. It sees positions and weights alone, so what it decides is the same
 * for all who read the context. */
class KvPolicy {
 public:
  virtual ~KvPolicy() = default;
  /** Whether it would keep every context as it is: then no edit is made. */
  virtual bool is_neutral() const = 0;
  virtual KvEdit edit(const EditSource& source) const = 0;
};

/** Throws invalid_argument for a policy that there is not, or options that it cannot have. */
using PolicyMaker = std::function<std::unique_ptr<KvPolicy>(const EditRecipe&)>;

}  // namespace cachalot

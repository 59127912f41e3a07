// Asks the device what a policy wants to know of a context's keys, and keeps queries for that.
#pragma once

#include "kv/edited_part.h"
#include "kv/policies/policy.h"

namespace cachalot {

class SignalReader {
 public:
  SignalReader(const KvPool& pool, Backend& backend, EditShape shape);

  /** The layer of the model of each head. */
  std::span<const int32_t> layers() const { return layers_; }
  int n_layers() const { return n_layers_; }

  /** Room for the queries of n rows of a text of so many tokens: of its last rows, every `stride`
   * tokens, counted from its first. */
  std::unique_ptr<KeptQueries> keep(int n_tokens, int n_rows, int stride) const;

  /** Called before the first of these rows is computed. */
  void make_room(KeptQueries* queries) const;

  /** The keys of a context, with what the policy asks for. `queries`: of the last rows of the text;
   * null if the policy observes none. */
  QuerySource read(const EditedPart::Source& source, const KvPolicy& policy,
                   const KeptQueries* queries) const;
  /** How much the rows of these queries read the keys of a context. */
  SignalTable attention(const EditedPart::Source& source, const KeptQueries& queries) const;

 private:
  SignalTable ask(const EditedPart::Source& source, KvSignalParams how,
                  const KeptQueries* queries = nullptr) const;

  const KvPool& pool_;
  Backend& backend_;
  EditShape shape_;
  std::vector<int32_t> layers_;  // of each head
  int n_layers_ = 0;
  int head_dim_ = 0;  // the largest
};

}  // namespace cachalot
